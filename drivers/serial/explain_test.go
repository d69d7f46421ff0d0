package serial

import (
	"errors"
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
		{unix.ENOENT, "/dev/ttyUSB0: no such file or directory: no such port; there is none; is the adapter plugged in?"},
		{errors.New("odd"), "/dev/ttyUSB0: odd"},
	}
	for _, tt := range tests {
		got := explain(t.TempDir(), "/dev/ttyUSB0", "/dev/ttyUSB0", tt.err)
		if got.Error() != tt.want {
			t.Errorf("got  %v\nwant %v", got, tt.want)
		}
		if !errors.Is(got, tt.err) {
			t.Errorf("%v hides its cause", got)
		}
	}
}
