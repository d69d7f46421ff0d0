package serial

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// An adapter named by what it is keeps its name when the kernel gives it another.
func TestReplugUnderAnotherName(t *testing.T) {
	root := machine(t)
	_, before := PTY(t)
	_, after := PTY(t)
	put(t, filepath.Join(root, "dev/ttyUSB0"), "-> "+before)
	cfg := Config{Port: "serial:A50285BI", Line: nineteen2}
	first, err := openBelow(root, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	class := filepath.Join(root, "sys/class/tty")
	device, err := os.Readlink(filepath.Join(class, "ttyUSB0"))
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"sys/class/tty/ttyUSB0", "dev/ttyUSB0"} {
		if err := os.Remove(filepath.Join(root, gone)); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := openBelow(root, cfg); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("opened without the adapter:", p, err)
	}
	put(t, filepath.Join(class, "ttyUSB7"), "-> "+device) // the old one is still held
	put(t, filepath.Join(root, "dev/ttyUSB7"), "-> "+after)
	second, err := openBelow(root, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if want := filepath.Join(root, "dev/ttyUSB7"); second.Path() != want {
		t.Errorf("found at %s, want %s", second.Path(), want)
	}
}

// Root is kept out by neither lock, but is found out before a request goes
// out at the wrong speed.
func TestChangedSettings(t *testing.T) {
	_, path := PTY(t)
	p, err := Open(Config{Port: path, Line: nineteen2})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	settings := *p.mode
	settings.Cflag = settings.Cflag&^unix.CBAUD | unix.B9600
	if err := unix.IoctlSetTermios(p.side, unix.TCSETS, &settings); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write([]byte{1}); !errors.Is(err, errSettings) || !strings.HasPrefix(err.Error(), path) {
		t.Errorf("Write: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(Config{Port: path, Line: nineteen2})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.Write([]byte{1}); err != nil {
		t.Error("after opening it again:", err)
	}
}
