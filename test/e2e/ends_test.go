//go:build e2e

package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const idleSite = `version: 1
site: idle
buses: [{id: line, port: /dev/none, baud: 9600, format: 8N1}]
devices: [{id: meter, bus: line, unit: 1, points: [{id: a, register: holding 0x0000, type: uint16}]}]
broker: {listen: [{address: "127.0.0.1:0"}]}
`

// TestBrokenPipe: a socket whose other end has gone raises this signal too, so that
// it must not end a gateway.
func TestBrokenPipe(t *testing.T) {
	site := filepath.Join(t.TempDir(), "site.yaml")
	if err := os.WriteFile(site, []byte(idleSite), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "sluice"), "run", "-c", site)
	var said syncBuffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the broker", func() bool { return strings.Contains(said.String(), "serving MQTT") })
	for _, s := range []os.Signal{syscall.SIGPIPE, syscall.SIGTERM} { // the lower one is delivered first
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	err := cmd.Wait()
	if err != nil || !strings.Contains(said.String(), "terminated") || strings.Contains(said.String(), "pipe") {
		t.Errorf("ended with %v:\n%s", err, said.String())
	}
}

// TestReaderGone: a command ends when nobody reads what it prints.
func TestReaderGone(t *testing.T) {
	cmd := exec.Command(filepath.Join(bin, "sluice"), "demo")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() })
	defer late.Stop()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
}
