package serial

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExplain(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{unix.EACCES, "/dev/ttyUSB0: permission denied: add the user to the group dialout (usermod -aG dialout NAME) and start again"},
		{unix.EBUSY, "/dev/ttyUSB0: device or resource busy: in use by another program; fuser -v /dev/ttyUSB0 names it"},
		{unix.EIO, "/dev/ttyUSB0: input/output error: no adapter behind this port; is it plugged in?"},
		{errors.New("odd"), "/dev/ttyUSB0: odd"},
	}
	for _, tt := range tests {
		got := explain("/dev/ttyUSB0", tt.err)
		if got.Error() != tt.want {
			t.Errorf("got  %v\nwant %v", got, tt.want)
		}
		if !errors.Is(got, tt.err) {
			t.Errorf("%v hides its cause", got)
		}
	}
}

func TestPortsIn(t *testing.T) {
	dir := t.TempDir()
	if got := portsIn(dir); !strings.Contains(got, "no USB adapter is plugged in") {
		t.Error(got)
	}
	for i := range maxListed + 2 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("usb-%02d", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := portsIn(dir)
	if !strings.HasPrefix(got, "there is "+dir+"/usb-00, ") || !strings.HasSuffix(got, "usb-07, and 2 more") {
		t.Error(got)
	}
}
