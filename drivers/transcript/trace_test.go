package transcript_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/transcript"
)

var slow = modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}

// traced runs a trace in a bubble while play uses it, and returns what is in its
// file then.
func traced(t *testing.T, cfg transcript.TraceConfig, play func(*transcript.Trace)) string {
	t.Helper()
	cfg.Path, cfg.Limit = filepath.Join(t.TempDir(), "trace"), max(cfg.Limit, 1<<20)
	synctest.Test(t, func(t *testing.T) {
		tr, err := transcript.OpenTrace(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- tr.Run(ctx) }()
		play(tr)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	text, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transcript.Parse(strings.NewReader(string(text))); err != nil {
		t.Errorf("%v:\n%s", err, text)
	}
	_, entries, _ := strings.Cut(string(text), "\n\n")
	return entries
}

// TestTrace has one scene a row; what is sent begins at its time, what is received
// was on the wire before.
func TestTrace(t *testing.T) {
	request, reply := "\x01\x04\x00\x34\x00\x02\x30\x05", "\x01\x04\x04\x43\x66\x80\x00\x6f\xdf"
	send := func(tr *transcript.Trace, b string) { tr.Sent([]byte(b), time.Now()) }
	// receive waits, and then gets bytes that ended just now.
	receive := func(tr *transcript.Trace, wait time.Duration, b string) {
		time.Sleep(wait)
		tr.Received([]byte(b), time.Now())
	}
	for _, tt := range []struct {
		name    string
		framing modbus.Framing
		line    modbus.Line
		play    func(*transcript.Trace)
		want    string
	}{
		{"exchange in two lumps", modbus.RTU, slow, func(tr *transcript.Trace) {
			send(tr, request)
			receive(tr, slow.Chars(8)+10*time.Millisecond+slow.Chars(1), reply[:1])
			receive(tr, slow.Chars(8), reply[1:])
			time.Sleep(4 * time.Millisecond)
			send(tr, request)
		}, `
       +0 > 01 04 00 34 00 02 30 05
   +10000 < 01 04 04 43 66 80 00 6f df
    +4000 > 01 04 00 34 00 02 30 05
`},
		{"nothing, and then a late reply before the next", modbus.RTU, slow, func(tr *transcript.Trace) {
			send(tr, request)
			time.Sleep(slow.Chars(8) + 100*time.Millisecond)
			send(tr, request)
			receive(tr, slow.Chars(8)+slow.Chars(9)+time.Millisecond, reply)
			receive(tr, slow.Chars(9)+7*time.Millisecond, reply)
		}, `
       +0 > 01 04 00 34 00 02 30 05
  +100000 > 01 04 00 34 00 02 30 05
    +1000 < 01 04 04 43 66 80 00 6f df
    +7000 < 01 04 04 43 66 80 00 6f df
`},
		{"a reply that stops, and noise after a silence", modbus.RTU, slow, func(tr *transcript.Trace) {
			send(tr, request)
			receive(tr, slow.Chars(8)+5*time.Millisecond+slow.Chars(3), reply[:3])
			receive(tr, 50*time.Millisecond+slow.Chars(1), "\x00")
			tr.Event("port closed:\nit is gone", time.Now())
		}, `
       +0 > 01 04 00 34 00 02 30 05
    +5000 ? 01 04 04
   +50000 ? 00
       +0 ! port closed: it is gone
`},
		{"ascii", modbus.ASCII, slow, func(tr *transcript.Trace) {
			send(tr, ":010300000001FB\r\n")
			receive(tr, slow.Chars(17)+10*time.Millisecond+slow.Chars(5), ":0103")
			receive(tr, 500*time.Millisecond, "020001F9\r\n:01")
		}, `
       +0 > ":010300000001FB\r\n"
   +10000 < ":0103020001F9\r\n"
       +0 ? ":01"
`},
		{"tcp", modbus.TCP, slow, func(tr *transcript.Trace) {
			send(tr, "\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01")
			receive(tr, 2*time.Millisecond, "\x00\x01\x00\x00\x00\x05\x01\x03\x02\x00")
			receive(tr, time.Millisecond, "\x07\x00\x02\x00\x00\x00\x03\x01\x83\x02")
		}, `
       +0 > 00 01 00 00 00 06 01 03 00 00 00 01
    +2000 < 00 01 00 00 00 05 01 03 02 00 07
       +0 < 00 02 00 00 00 03 01 83 02
`},
		{"more than a line can bring", modbus.RTU, modbus.Line{}, func(tr *transcript.Trace) {
			receive(tr, time.Millisecond, strings.Repeat("\xaa", 4000))
			receive(tr, time.Millisecond, strings.Repeat("\xbb", 2))
		}, "\n    +1000 ?" + strings.Repeat(" aa", 1024) + "\n    +1000 ? bb bb\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := traced(t, transcript.TraceConfig{Framing: tt.framing, Line: tt.line}, tt.play)
			if want := tt.want[1:]; got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// TestTraceIsBounded has a file that is full every other request, and a disk that is
// slower than the bus.
func TestTraceIsBounded(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "trace")
	cfg := transcript.TraceConfig{Line: slow, Path: path, Limit: 8192}
	tr, err := transcript.OpenTrace(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for i := range 5000 {
		tr.Sent([]byte{byte(i >> 8), byte(i)}, start.Add(time.Duration(i)*time.Second))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tr.Run(ctx)
	tr.Sent([]byte("late"), start.Add(time.Hour*2))
	tr.Run(ctx)
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"trace", "trace.1"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := transcript.Parse(f)
		f.Close()
		if info, _ := os.Stat(f.Name()); err != nil || info.Size() > 8192+4096+128 || len(got.Entries) == 0 || got.Entries[0].Gap != 0 {
			t.Errorf("%s: %v, %d bytes, %d entries", name, err, info.Size(), len(got.Entries))
		}
	}
	if all, _ := filepath.Glob(path + "*"); len(all) != 2 {
		t.Errorf("%q", all)
	}
	text, _ := os.ReadFile(path)
	if want := "# 904 entries before this one were lost: the disk is too slow"; !strings.Contains(string(text), want) {
		t.Errorf("%q is missing in %s", want, text)
	}
}

// TestTraceSparesFiles has things in the way that are no transcripts.
func TestTraceSparesFiles(t *testing.T) {
	for _, name := range []string{"trace", "trace.1"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("version: 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := transcript.TraceConfig{Line: slow, Path: filepath.Join(dir, "trace"), Limit: 1}
		_, err := transcript.OpenTrace(cfg, slog.New(slog.DiscardHandler))
		if want := fmt.Sprintf("%s is there, and is no transcript", filepath.Join(dir, name)); err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg := transcript.TraceConfig{Line: slow, Path: t.TempDir(), Limit: 1}
	if _, err := transcript.OpenTrace(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Error(err)
	}
}

// TestTraceOfAFailingDisk ends by itself, and holds nobody up.
func TestTraceOfAFailingDisk(t *testing.T) {
	dir := t.TempDir()
	var log strings.Builder
	tr, err := transcript.OpenTrace(transcript.TraceConfig{Bus: "line", Line: slow, Path: filepath.Join(dir, "trace"), Limit: 1 << 20},
		slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	tr.Close()
	for range 2 {
		tr.Sent([]byte{1, 2}, time.Now())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.Run(ctx); err != nil || strings.Count(log.String(), `msg="trace ends" bus=line`) != 1 {
		t.Errorf("%v, %s", err, log.String())
	}
}
