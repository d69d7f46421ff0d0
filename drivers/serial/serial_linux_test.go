package serial_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/drivers/modbus"
	"sluice/drivers/serial"
)

var line = modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.EvenParity, StopBits: 1}

const patience = time.Minute // for what must come

func open(t *testing.T, path string, l modbus.Line) *serial.Port {
	t.Helper()
	p, err := serial.Open(serial.Config{Port: path, Line: l})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestRoundTrip(t *testing.T) {
	master, path := serial.PTY(t)
	p := open(t, path, line)
	if !p.Virtual() {
		t.Error("a pseudo-terminal is taken for a UART")
	}
	every := make([]byte, 256) // no byte may be taken for a control character
	for i := range every {
		every[i] = byte(i)
	}
	if n, err := p.Write(every); n != len(every) || err != nil {
		t.Fatal(n, err)
	}
	got := make([]byte, len(every))
	if _, err := readFull(master, got); err != nil || !bytes.Equal(got, every) {
		t.Fatalf("the wire carried % x, %v", got, err)
	}
	if _, err := master.Write(every); err != nil {
		t.Fatal(err)
	}
	if err := p.SetReadTimeout(patience); err != nil {
		t.Fatal(err)
	}
	if _, err := readFull(p, got); err != nil || !bytes.Equal(got, every) {
		t.Fatalf("the port read % x, %v", got, err)
	}
}

func readFull(r interface{ Read([]byte) (int, error) }, b []byte) (n int, err error) {
	for n < len(b) {
		m, err := r.Read(b[n:])
		if m == 0 || err != nil {
			return n, fmt.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
		n += m
	}
	return n, nil
}

func TestReadTimeout(t *testing.T) {
	_, path := serial.PTY(t)
	p := open(t, path, line)
	for _, want := range []time.Duration{0, 20 * time.Millisecond} {
		if err := p.SetReadTimeout(want); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		n, err := p.Read(make([]byte, 1))
		if took := time.Since(start); n != 0 || err != nil || took < want {
			t.Errorf("timeout %v: %d bytes, %v after %v", want, n, err, took)
		}
	}
	if err := p.SetReadTimeout(-time.Second); err == nil {
		t.Error("a negative timeout was taken")
	}
}

func TestLine(t *testing.T) {
	tests := []struct {
		line       modbus.Line
		set, clear uint32 // control flags
	}{
		{modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}, unix.CS8, unix.PARENB | unix.CSTOPB},
		{modbus.Line{Baud: 19200, DataBits: 8, Parity: modbus.EvenParity, StopBits: 1}, unix.PARENB, unix.PARODD | unix.CMSPAR},
		{modbus.Line{Baud: 19200, DataBits: 8, Parity: modbus.OddParity, StopBits: 2}, unix.PARENB | unix.PARODD | unix.CSTOPB, unix.CMSPAR},
		{modbus.Line{Baud: 115200, DataBits: 8, Parity: modbus.MarkParity, StopBits: 1}, unix.PARENB | unix.PARODD | unix.CMSPAR, unix.CSTOPB},
		{modbus.Line{Baud: 115200, DataBits: 8, Parity: modbus.SpaceParity, StopBits: 1}, unix.PARENB | unix.CMSPAR, unix.PARODD},
		{modbus.Line{Baud: 31250, DataBits: 8, Parity: modbus.NoParity, StopBits: 2}, unix.CSTOPB, unix.PARENB},
		{modbus.Line{Baud: 250000, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}, unix.CS8, unix.PARENB},
	}
	for _, tt := range tests {
		t.Run(tt.line.String(), func(t *testing.T) {
			master, path := serial.PTY(t)
			open(t, path, tt.line)
			got, err := unix.IoctlGetTermios(int(master.Fd()), unix.TCGETS2) // the master shows the slave's settings
			if err != nil {
				t.Fatal(err)
			}
			// A pty driver clears the parity bit and CSTOPB is kept; the rest must be as set.
			want, clear := tt.set&^unix.PARENB, tt.clear&^unix.PARENB
			if got.Cflag&want != want || got.Cflag&clear != 0 {
				t.Errorf("control flags %o, want %o set and %o clear", got.Cflag, want, clear)
			}
			if got.Ospeed != uint32(tt.line.Baud) {
				t.Errorf("%d Bd, want %d", got.Ospeed, tt.line.Baud)
			}
		})
	}
}

func TestRefusesAnUnlikelyLine(t *testing.T) {
	_, path := serial.PTY(t)
	for _, l := range []modbus.Line{
		{},
		{Baud: 0, DataBits: 8, Parity: modbus.NoParity, StopBits: 1},
		{Baud: 9600, DataBits: 0, Parity: modbus.NoParity, StopBits: 1},
		{Baud: 9600, DataBits: 9, Parity: modbus.NoParity, StopBits: 1},
		{Baud: 9600, DataBits: 8, Parity: 'X', StopBits: 1},
		{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 3},
	} {
		if p, err := serial.Open(serial.Config{Port: path, Line: l}); err == nil {
			p.Close()
			t.Errorf("%+v was opened", l)
		}
	}
}

func TestExclusive(t *testing.T) {
	_, path := serial.PTY(t)
	p := open(t, path, line)
	_, err := serial.Open(serial.Config{Port: path, Line: line})
	if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("second open: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path, line)
}

func TestUseAfterClose(t *testing.T) {
	master, path := serial.PTY(t)
	p := open(t, path, line)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	// Whatever is opened now gets the numbers of the port's descriptors.
	var files []*os.File
	for i := range 4 {
		f, err := os.Create(filepath.Join(t.TempDir(), fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	if _, err := p.Write([]byte("stray")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	for _, f := range files {
		if info, err := f.Stat(); err != nil || info.Size() != 0 {
			t.Errorf("%s holds %d bytes, %v", f.Name(), info.Size(), err)
		}
	}
	master.Close()
}

func TestUnplugWakesTheReader(t *testing.T) {
	master, path := serial.PTY(t)
	p := open(t, path, line)
	failed := make(chan error)
	go func() {
		_, err := p.Read(make([]byte, 1)) // no timeout
		failed <- err
	}()
	master.Close() // the kernel hangs the other end up, as when an adapter goes
	select {
	case err := <-failed:
		if !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), "plugged in") {
			t.Errorf("Read: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Read still waits")
	}
	if _, err := p.Write([]byte{1}); !errors.Is(err, unix.EIO) {
		t.Errorf("Write: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestCloseWakesTheReader(t *testing.T) {
	_, path := serial.PTY(t)
	p := open(t, path, line)
	failed := make(chan error)
	go func() {
		_, err := p.Read(make([]byte, 1))
		failed <- err
	}()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
}

// An adapter that no longer takes bytes must not hold its bus for ever.
func TestWriteNeverBlocks(t *testing.T) {
	_, path := serial.PTY(t)
	p := open(t, path, line)
	frame := make([]byte, 256)
	for range 1 << 12 {
		if _, err := p.Write(frame); err != nil {
			if !strings.Contains(err.Error(), "stopped sending") {
				t.Error(err)
			}
			return
		}
	}
	t.Error("1 MiB went into a port that nobody reads")
}

func TestOpenSaysWhatToDo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "ttyUSB0")
	tests := []struct {
		path, want string
	}{
		{missing, "no such port; "},
		{file, "not a serial port"},
		{t.TempDir(), "not a serial port"},
	}
	for _, tt := range tests {
		_, err := serial.Open(serial.Config{Port: tt.path, Line: line})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), tt.path) {
			t.Errorf("%s: %v, want %q", tt.path, err, tt.want)
		}
	}
	if _, err := serial.Open(serial.Config{Port: missing, Line: line}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

// The library would wait with select(2), which ends at descriptor 1023.
func TestManyOpenFiles(t *testing.T) {
	master, path := serial.PTY(t)
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal("the limit of open files is too low to try:", err)
		}
		defer f.Close()
		if f.Fd() > 1024 {
			break
		}
	}
	p := open(t, path, line)
	if _, err := master.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(make([]byte, 8)); n != 1 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestPause(t *testing.T) {
	master, path := serial.PTY(t)
	p := open(t, path, line)
	if err := p.SetReadTimeout(patience); err != nil {
		t.Fatal(err)
	}
	for _, sent := range []string{"before", "and after"} {
		if _, err := master.WriteString(sent); err != nil {
			t.Fatal(err)
		}
		const d = 20 * time.Millisecond
		start := time.Now()
		err := p.Pause(d)
		if took := time.Since(start); err != nil || took < d {
			t.Errorf("paused for %v, %v, want %v", took, err, d)
		}
		b := make([]byte, 16)
		if n, err := p.Read(b); string(b[:n]) != sent || err != nil {
			t.Errorf("read %q, %v, want %q", b[:n], err, sent)
		}
	}
}

func TestCloseEndsAPause(t *testing.T) {
	_, path := serial.PTY(t)
	p := open(t, path, line)
	failed := make(chan error)
	go func() { failed <- p.Pause(time.Hour) }()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Pause: %v", err)
	}
}

func TestChildrenDoNotInheritThePort(t *testing.T) {
	_, path := serial.PTY(t)
	open(t, path, line)
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, fd := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); to != path {
			continue
		}
		held++
		info, err := os.ReadFile("/proc/self/fdinfo/" + fd.Name())
		if err != nil {
			t.Fatal(err)
		}
		var pos, flags int
		if _, err := fmt.Sscanf(string(info), "pos: %d\nflags: %o", &pos, &flags); err != nil {
			t.Fatal(err)
		}
		if flags&unix.O_CLOEXEC == 0 {
			t.Errorf("descriptor %s outlives exec", fd.Name())
		}
	}
	if held != 2 {
		t.Errorf("%d descriptors of the port, want the library's and the sidecar", held)
	}
}
