//go:build e2e

package e2e

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const lanPassword = "geheim" // of everybody

// lanSite serves every transport. The clients may use lan/... alone; the master,
// who is the test, everything.
const lanSite = `version: 1
site: dairy
buses: [{id: line, port: /dev/none, baud: 9600, format: 8N1}]
devices:
  - {id: meter, bus: line, unit: 1, points: [{id: a, register: holding 0x0000, type: uint16}]}
broker:
  listen:
    - {address: "127.0.0.1:%s", protocol: mqtt}
    - {address: "127.0.0.1:%s", protocol: mqtts}
    - {address: "127.0.0.1:%s", protocol: ws}
    - {address: "127.0.0.1:%s", protocol: wss}
  password_file: users
  users:
    - {name: scada, read: ["lan/#"], write: ["lan/#"]}
    - {name: master, write: ["#"]}
`

// lanBroker is a gateway that runs.
type lanBroker struct {
	t       *testing.T
	ports   map[string]string // by transport
	ca      string
	otherCA string
	secrets syncBuffer // what came on secret/#
	trials  int
}

func startLANBroker(t *testing.T) *lanBroker {
	t.Helper()
	dir := t.TempDir()
	b := &lanBroker{t: t, ports: map[string]string{}, ca: filepath.Join(dir, "state/tls/ca.crt"), otherCA: filepath.Join(dir, "other/tls/ca.crt")}
	var ports []any
	for _, transport := range []string{"mqtt", "mqtts", "ws", "wss"} {
		b.ports[transport] = freeTCP(t)
		ports = append(ports, b.ports[transport])
	}
	site := filepath.Join(dir, "site.yaml")
	if err := os.WriteFile(site, fmt.Appendf(nil, lanSite, ports...), 0o600); err != nil {
		t.Fatal(err)
	}
	sluice := filepath.Join(bin, "sluice")
	b.must(dir, "mosquitto_passwd", "-b", "-c", "users", "master", lanPassword)
	b.must(dir, "sh", "-c", "echo "+lanPassword+" | "+sluice+" passwd add users scada")
	for _, state := range []string{"state", "other"} {
		b.must(dir, sluice, "certs", "init", "-c", site, "-state", filepath.Join(dir, state))
	}
	background(t, exec.Command(sluice, "run", "-c", site, "-state", filepath.Join(dir, "state")))
	for _, port := range b.ports {
		until(t, "port "+port, func() bool { return listening(port) })
	}
	b.watch()
	return b
}

func (b *lanBroker) must(dir string, name string, args ...string) {
	b.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
}

func freeTCP(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// environment is what a client is told.
func (b *lanBroker) environment(w way, o lanOptions) []string {
	ca := ""
	if w.secure() {
		ca = cmp.Or(o.ca, b.ca)
	}
	path := ""
	if w.webSocket() {
		path = "/mqtt"
	}
	return []string{
		"LAN_URL=" + w.transport + "://127.0.0.1:" + b.ports[w.transport] + path, "LAN_VERSION=" + map[string]string{"3.1.1": "4", "5": "5"}[w.version],
		"LAN_ID=" + o.id, "LAN_CLEAN=" + map[bool]string{false: "0", true: "1"}[o.clean],
		"LAN_USER=scada", "LAN_PASSWORD=" + cmp.Or(o.password, lanPassword), "LAN_CA=" + ca,
		"LAN_FILTERS=" + strings.Join(o.filters, ","), "LAN_WILL=" + o.will,
	}
}

// watch keeps what is published on secret/# by whomever.
func (b *lanBroker) watch() {
	cmd := exec.Command("stdbuf", append([]string{"-oL", "mosquitto_sub", "-t", "secret/#", "-v", "-d"}, b.master()...)...)
	cmd.Stdout, cmd.Stderr = &b.secrets, &b.secrets
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		b.t.Fatalf("%v: run `make peers`", err)
	}
	b.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	until(b.t, "the master to subscribe", func() bool { return strings.Contains(b.secrets.String(), "Subscribed") })
}

func (b *lanBroker) master() []string {
	return []string{"-h", "127.0.0.1", "-p", b.ports["mqtt"], "-u", "master", "-P", lanPassword, "-q", "1"}
}

func (b *lanBroker) publish(topic, payload string) {
	b.must(".", "mosquitto_pub", append(b.master(), "-t", topic, "-m", payload)...)
}

// nothingDenied fails the test if a client got through to secret/#.
func (b *lanBroker) nothingDenied() {
	b.publish("secret/end", "end")
	until(b.t, "the last secret", func() bool { return strings.Contains(b.secrets.String(), "secret/end end") })
	if strings.Contains(b.secrets.String(), "secret/x denied") {
		b.t.Error("a message that its sender has no right to was delivered")
	}
}
