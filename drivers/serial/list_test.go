package serial

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"golang.org/x/tools/txtar"
)

// machine writes the file system of testdata/sysfs.txtar and returns its root.
func machine(t *testing.T) (root string) {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/sysfs.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
	for _, f := range archive.Files {
		put(t, filepath.Join(root, f.Name), string(f.Data))
	}
	return root
}

// put writes a file, or a link if the text begins with an arrow.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	to, isLink := strings.CutPrefix(strings.TrimSpace(text), "-> ")
	err := error(nil)
	if isLink {
		err = os.Symlink(to, path)
	} else {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestList(t *testing.T) {
	root := machine(t)
	ports, err := list(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range ports {
		got = append(got, strings.ReplaceAll(p.String(), root, ""))
	}
	want := []string{
		"/dev/ttyS0 (serial)",
		"/dev/ttySC0 (sc16is7xx)",
		"usb:2e8a:000a:E6614C311B (/dev/ttyACM0, cdc_acm)",
		"/dev/ttyAMA0 (uart-pl011)",
		"usb:0403:6001:A50285BI (/dev/ttyUSB0, ftdi_sio, /dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0)",
		"usb:1a86:7523@1-1.3 (/dev/ttyUSB1, ch341-uart)",
		"usb:0403:6011:FT4X@if00 (/dev/ttyUSB2, ftdi_sio)",
		"usb:0403:6011:FT4X@if01 (/dev/ttyUSB3, ftdi_sio)",
		"usb:1a86:7523@1-1.4 (/dev/ttyUSB10, ch341-uart, /dev/serial/by-id/usb-1a86_USB_Serial-if00-port0)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, p := range ports { // whatever is offered must find the port
		n, err := parseName(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		if path, err := n.resolve(root); path != p.Path || err != nil {
			t.Errorf("%s leads to %s, %v; want %s", p.Name, path, err, p.Path)
		}
	}
}

func TestListHere(t *testing.T) {
	ports, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ports {
		if !strings.HasPrefix(p.Path, "/dev/") || p.Name == "" {
			t.Errorf("%+v", p)
		}
		t.Log(p)
	}
}

// Opening a line to list it would set it to 9600 8N1 while another uses it.
func TestListOpensNoPort(t *testing.T) {
	root := machine(t)
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(watch)
	for _, name := range []string{"ttyS0", "ttyS1", "ttyUSB0", "ttySC0"} {
		put(t, filepath.Join(root, "dev", name), "")
	}
	if _, err := unix.InotifyAddWatch(watch, filepath.Join(root, "dev"), unix.IN_OPEN|unix.IN_ACCESS|unix.IN_MODIFY); err != nil {
		t.Fatal(err)
	}
	seen := func() bool {
		n, _ := unix.Read(watch, make([]byte, 4096))
		return n > 0
	}
	if _, err := list(root); err != nil {
		t.Fatal(err)
	}
	if seen() {
		t.Error("a port was opened")
	}
	if _, err := os.ReadFile(filepath.Join(root, "dev/ttyS0")); err != nil || !seen() {
		t.Error("the test would not have seen it,", err)
	}
}

func TestResolve(t *testing.T) {
	root := machine(t)
	tests := []struct {
		name, path, err string
	}{
		{"/dev/anything", "/dev/anything", ""},
		{"usb:0403:6001", "/dev/ttyUSB0", ""},
		{"usb:0403:6001:A50285BI", "/dev/ttyUSB0", ""},
		{"usb:0403:6001:A50285BI@1-1.2", "/dev/ttyUSB0", ""},
		{"usb:0403:6001@1-1.2:1.0", "/dev/ttyUSB0", ""},
		{"usb:2e8A:000a", "/dev/ttyACM0", ""},
		{"serial:A50285BI", "/dev/ttyUSB0", ""},
		{"serial:FT4X@if01", "/dev/ttyUSB3", ""},
		{"usb:1a86:7523@1-1.4", "/dev/ttyUSB10", ""},
		{"usb:0403:6011@1-1.5:1.1", "/dev/ttyUSB3", ""},
		{"usb:0403:6001:OTHER", "", "no such file or directory"},
		{"usb:0403:6001@1-1.3", "", "no such file or directory"},
		{"serial:a50285bi", "", "no such file or directory"},
		{"usb:1a86:7523", "", "more than one port fits: usb:1a86:7523@1-1.3 (/dev/ttyUSB1, ch341-uart), usb:1a86:7523@1-1.4 (/dev/ttyUSB10,"},
		{"serial:FT4X", "", "more than one port fits: "},
	}
	for _, tt := range tests {
		n, err := parseName(tt.name)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		path, err := n.resolve(root)
		if path = strings.TrimPrefix(path, root); path != tt.path {
			t.Errorf("%s is %s, want %s", tt.name, path, tt.path)
		}
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(strings.ReplaceAll(err.Error(), root, ""), tt.err) {
			t.Errorf("%s: error %v, want %s", tt.name, err, tt.err)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, s := range []string{
		"", "ttyUSB0", "usb", "usb:", "usb:0403", "usb:403:6001", "usb:0403:6001:", "usb:0403:600g", "usb:0403:6001@", "usb:0403:6001@here",
		"serial:", "serial:@1-1", "USB:0403:6001",
	} {
		if err := CheckName(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
	n, err := parseName("usb:0403:6001:a:b@c@1-1.2.3")
	if want := (name{vid: "0403", pid: "6001", serial: "a:b@c", at: "1-1.2.3"}); n != want || err != nil {
		t.Errorf("%+v, %v; want %+v", n, err, want)
	}
}

// FuzzName makes sure that no name crashes, and that what is taken names a port
// by something.
func FuzzName(f *testing.F) {
	for _, s := range []string{"/dev/ttyS0", "usb:0403:6001:A@1-1.2:1.0", "serial:x@if00", "usb:::@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseName(s); (err == nil) == (n == name{} || n == name{at: n.at}) {
			t.Errorf("%q is %+v, %v", s, n, err)
		}
	})
}

// What the person reads whose port is missing.
func TestErrorsOfferThePorts(t *testing.T) {
	root := machine(t)
	tests := []struct {
		port, want string
	}{
		{"/dev/ttyUSB7", "/dev/ttyUSB7: no such file or directory: no such port; there is /dev/ttyS0 (serial), /dev/ttySC0 (sc16is7xx), usb:2e8a:"},
		{"serial:A5", "serial:A5: no such file or directory: no such port; there is /dev/ttyS0 (serial), "},
		{"usb:1a86:7523", ": say which, by serial number or @SOCKET"},
		{"usb:1a86:7523", "(/dev/ttyUSB1, ch341-uart), usb:"},
		{"serial:A50285BI", "serial:A50285BI (/dev/ttyUSB0): no such file or directory: the kernel has this port, but it is not in /dev"},
	}
	for _, tt := range tests {
		_, err := openBelow(root, Config{Port: tt.port, Line: nineteen2})
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), root, ""), tt.want) {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, errAmbiguous) {
			t.Errorf("%v hides its cause", err)
		}
	}
}
