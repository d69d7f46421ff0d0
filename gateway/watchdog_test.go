package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/broker/topic"
	"sluice/gateway"
	"sluice/gateway/config"
	"sluice/gateway/service"
)

// asService makes this test binary a gateway that a service manager has started:
// "well", or "wedged", of which the publisher never ends with a message.
const asService = "SLUICE_TEST_SERVICE"

func TestServiceItself(t *testing.T) {
	kind := os.Getenv(asService)
	if kind == "" {
		t.Skip("for TestWedgedGatewayIsReplaced")
	}
	site := fmt.Sprintf(`{version: 1, site: plant, gateway: gw, defaults: {interval: 100ms},
buses: [{id: a, tcp: "%s", framing: tcp}], devices: [{id: meter, bus: a, unit: 1, points: [{id: p, register: holding 0x0000, type: uint16}]}],
broker: {listen: [{address: "127.0.0.1:0"}]}}`, oneRegister(t))
	cfg, err := config.Parse("site.yaml", []byte(site))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	manager, err := service.New(log)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(cfg, gateway.Options{StateDir: t.TempDir(), Log: log, Service: manager, Tap: func(m topic.Message) (func(context.Context) error, error) {
		if kind == "wedged" && m.Topic == "plant/meter/p" {
			select {}
		}
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if kind == "wedged" {
		g.Hasten(40)
	}
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer stop()
	if err := g.Run(ctx); err != nil {
		t.Error(err)
	}
}

// manager is a service manager.
type manager struct {
	*testing.T
	in   *net.UnixConn
	path string
}

func newManager(t *testing.T) *manager {
	path := filepath.Join(t.TempDir(), "notify")
	in, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return &manager{t, in, path}
}

// start starts the service.
func (m *manager) start(kind string) (*exec.Cmd, *bytes.Buffer) {
	c := exec.CommandContext(m.Context(), os.Args[0], "-test.run=^TestServiceItself$")
	c.Env = append(os.Environ(), asService+"="+kind, "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=300000")
	out := new(bytes.Buffer)
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		m.Fatal(err)
	}
	return c, out
}

// hear waits until the service says what begins like this, and returns how often it
// fed the watchdog before.
func (m *manager) hear(want string) (fed int) {
	m.Helper()
	m.in.SetReadDeadline(time.Now().Add(time.Minute))
	var b [1024]byte
	for {
		n, err := m.in.Read(b[:])
		if err != nil {
			m.Fatalf("waiting for %s: %v", want, err)
		}
		said := string(b[:n])
		if strings.HasPrefix(said, want) {
			return fed
		}
		if said == "WATCHDOG=1" {
			fed++
		}
	}
}

// A gateway of which a part hangs is no longer fed for, ends, and the next one is
// well.
func TestWedgedGatewayIsReplaced(t *testing.T) {
	m := newManager(t)
	wedged, out := m.start("wedged")
	m.hear("READY=1")
	m.hear("STATUS=no progress: ")
	if fed := m.hear("WATCHDOG=trigger"); fed != 0 {
		t.Errorf("the watchdog was fed %d times for a gateway that hangs", fed)
	}
	if err := wedged.Wait(); err == nil {
		t.Error("a gateway that hangs ends as if nothing had happened")
	}
	for _, want := range []string{"the process must be replaced: ", "publish", "goroutine "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing of %q in what it leaves behind:\n%s", want, out)
		}
	}
	well, out := m.start("well")
	m.hear("READY=1")
	m.hear("STATUS=1 of 1 devices online, 0 of 0 bridges connected")
	for range 5 {
		m.hear("WATCHDOG=1")
	}
	if err := well.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.hear("STOPPING=1")
	if err := well.Wait(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
