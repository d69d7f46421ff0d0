package serial

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	lib "go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// byID holds a link for every USB adapter, with a name that survives replugging.
const byID = "/dev/serial/by-id"

// maxListed bounds how many ports an error names.
const maxListed = 8

// explain adds to an error what the person in front of the cabinet can do.
func explain(path string, err error) error {
	var hint string
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		hint = "no such port; " + portsIn(byID)
	case isCode(err, lib.PermissionDenied), errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		hint = "add the user to the group dialout (usermod -aG dialout NAME) and start again"
	case isCode(err, lib.PortBusy), errors.Is(err, unix.EBUSY):
		hint = "in use by another program; fuser -v " + path + " names it"
	case errors.Is(err, io.ErrShortWrite), errors.Is(err, unix.EAGAIN):
		hint = "the adapter has stopped sending; replug it"
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EIO):
		hint = "no adapter behind this port; is it plugged in?"
	case isCode(err, lib.InvalidSerialPort), errors.Is(err, unix.EISDIR):
		hint = "not a serial port; " + portsIn(byID)
	default:
		return fmt.Errorf("%s: %w", path, err)
	}
	return fmt.Errorf("%s: %w: %s", path, err, hint)
}

func isCode(err error, code lib.PortErrorCode) bool {
	e, ok := errors.AsType[*lib.PortError](err)
	return ok && e.Code() == code
}

// portsIn says which ports a directory such as byID offers.
func portsIn(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return "no USB adapter is plugged in (" + dir + " is empty)"
	}
	var names []string
	for _, e := range entries[:min(len(entries), maxListed)] {
		names = append(names, filepath.Join(dir, e.Name()))
	}
	if rest := len(entries) - len(names); rest > 0 {
		names = append(names, fmt.Sprintf("and %d more", rest))
	}
	return "there is " + strings.Join(names, ", ")
}
