package service_test

import (
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"sluice/gateway/service"
)

// judge listens as a service manager does.
func judge(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	in, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return in
}

func hear(t *testing.T, in *net.UnixConn) string {
	t.Helper()
	in.SetReadDeadline(time.Now().Add(time.Minute))
	var b [1024]byte
	n, err := in.Read(b[:])
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestWhatIsSaid(t *testing.T) {
	in := judge(t)
	t.Setenv("WATCHDOG_USEC", "3000000")
	m, err := service.New(slog.New(slog.DiscardHandler))
	if err != nil || m.Patience() != 3*time.Second {
		t.Fatal(m, err)
	}
	m.Reloading()() // not a word: to say that this is over would say that everything runs
	m.Alive()
	m.Ready()
	m.Status("fine")
	m.Status("fine")
	m.Status("less so")
	m.Reloading()()
	late := m.Reloading()
	m.Stopping()
	late()
	m.Hopeless()
	want := []string{
		"WATCHDOG=1", "READY=1", "STATUS=fine", "STATUS=less so", "RELOADING=1\nMONOTONIC_USEC=N\n", "READY=1",
		"RELOADING=1\nMONOTONIC_USEC=N\n", "STOPPING=1", "WATCHDOG=trigger",
	}
	var got []string
	for range want {
		got = append(got, regexp.MustCompile(`=\d{2,}`).ReplaceAllString(hear(t, in), "=N"))
	}
	if !slices.Equal(got, want) {
		t.Errorf("said %q,\nwant %q", got, want)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	m, err := service.New(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*service.Manager{m, nil} {
		m.Ready()
		m.Alive()
		m.Reloading()()
		m.Stopping()
		if m.Patience() != 0 {
			t.Error("a watchdog that nobody asked for")
		}
	}
	t.Setenv("WATCHDOG_USEC", "soon")
	if _, err := service.New(slog.New(slog.DiscardHandler)); err == nil {
		t.Error("took a watchdog of which nobody knows how patient it is")
	}
}
