package serial

import (
	"errors"
	"fmt"
	"io"

	lib "go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// explain adds to an error what the person in front of the cabinet can do. label
// is what the error is about, path the port.
func explain(root, label, path string, err error) error {
	var hint string
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		hint = missing(root, path)
	case isCode(err, lib.PermissionDenied), errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		hint = "add the user to the group dialout (usermod -aG dialout NAME) and start again"
	case isCode(err, lib.PortBusy), errors.Is(err, unix.EBUSY):
		hint = "in use by another program; fuser -v " + path + " names it"
	case errors.Is(err, io.ErrShortWrite), errors.Is(err, unix.EAGAIN):
		hint = "the adapter has stopped sending; replug it"
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EIO):
		hint = "no adapter behind this port; is it plugged in?"
	case errors.Is(err, errAmbiguous):
		hint = "say which, by serial number or @SOCKET"
	case isCode(err, lib.InvalidSerialPort), errors.Is(err, unix.EISDIR):
		hint = "not a serial port; " + offer(root)
	default:
		return fmt.Errorf("%s: %w", label, err)
	}
	return fmt.Errorf("%s: %w: %s", label, err, hint)
}

// missing says why a port may not be there, and which are.
func missing(root, path string) string {
	ports, _ := list(root)
	for _, p := range ports {
		if p.Path == path {
			return "the kernel has this port, but it is not in /dev: let the container have the device"
		}
	}
	return "no such port; " + offer(root)
}

// offer says which ports there are.
func offer(root string) string {
	ports, _ := list(root)
	if len(ports) == 0 {
		return "there is none; is the adapter plugged in?"
	}
	return "there is " + enumerate(ports)
}

func isCode(err error, code lib.PortErrorCode) bool {
	e, ok := errors.AsType[*lib.PortError](err)
	return ok && e.Code() == code
}
