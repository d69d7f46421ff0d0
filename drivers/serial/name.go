package serial

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// name is how a site file names a port: by path, or by the USB adapter behind it.
type name struct {
	path             string
	vid, pid, serial string // of the adapter; empty fits any
	at               string // socket, socket:interface or interface; empty fits any
}

// What follows usb: and serial:, and where an adapter is plugged in, which may
// follow either.
var (
	usbName = regexp.MustCompile(`^([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})(?::(.+))?$`)
	socket  = regexp.MustCompile(`@([0-9]+-[0-9.]+(?::[0-9]+\.[0-9]+)?|if[0-9a-f]{2})$`)
)

// CheckName reports what is wrong with the name of a port. Good ones are a full
// path, such as /dev/ttyUSB0 or /dev/serial/by-id/..., usb:VID:PID,
// usb:VID:PID:SERIAL and serial:SERIAL; to the last three may be added which of
// several is meant: @1-1.2 by the socket, @if01 by the port of an adapter that
// has several, @1-1.2:1.1 by both, as in the file names of sysfs.
func CheckName(s string) error {
	_, err := parseName(s)
	return err
}

func parseName(s string) (name, error) {
	if filepath.IsAbs(s) {
		return name{path: s}, nil
	}
	kind, rest, _ := strings.Cut(s, ":")
	var n name
	if at := socket.FindStringSubmatch(rest); at != nil {
		n.at, rest = at[1], strings.TrimSuffix(rest, at[0])
	}
	switch kind {
	case "usb":
		m := usbName.FindStringSubmatch(rest)
		if m == nil {
			return name{}, fmt.Errorf("%q is not usb:VID:PID, usb:VID:PID:SERIAL or either with @SOCKET", s)
		}
		n.vid, n.pid, n.serial = strings.ToLower(m[1]), strings.ToLower(m[2]), m[3]
	case "serial":
		if rest == "" {
			return name{}, fmt.Errorf("%q holds no serial number", s)
		}
		n.serial = rest
	default:
		return name{}, fmt.Errorf("port %q is not a full path", s)
	}
	return n, nil
}

// fits reports whether n means the port.
func (n name) fits(p Info) bool {
	if n.path != "" {
		return n.path == p.Path
	}
	return p.VID != "" && (n.vid == "" || n.vid == p.VID && n.pid == p.PID) && (n.serial == "" || n.serial == p.Serial) &&
		(n.at == "" || n.at == p.Socket || n.at == p.Interface || n.at == p.socketInterface())
}

func (n name) among(ports []Info) []Info {
	var found []Info
	for _, p := range ports {
		if n.fits(p) {
			found = append(found, p)
		}
	}
	return found
}

// socketInterface is the name of a USB interface in sysfs, such as 1-1.2:1.0. A
// serial adapter has one configuration.
func (i Info) socketInterface() string {
	n, err := strconv.ParseUint(strings.TrimPrefix(i.Interface, "if"), 16, 8)
	if err != nil {
		return i.Socket
	}
	return fmt.Sprintf("%s:1.%d", i.Socket, n)
}

var errAmbiguous = errors.New("more than one port fits")

// resolve returns the path of the port that n means now: ENOENT if it is not
// there, errAmbiguous rather than a guess, since the wrong line may answer too.
func (n name) resolve(root string) (string, error) {
	if n.path != "" {
		return n.path, nil
	}
	ports, err := list(root)
	if err != nil {
		return "", err
	}
	switch found := n.among(ports); len(found) {
	case 0:
		return "", unix.ENOENT
	case 1:
		return found[0].Path, nil
	default:
		return "", fmt.Errorf("%w: %s", errAmbiguous, enumerate(found))
	}
}

// maxListed bounds how many ports an error names.
const maxListed = 8

func enumerate(ports []Info) string {
	var names []string
	for _, p := range ports[:min(len(ports), maxListed)] {
		names = append(names, p.String())
	}
	if rest := len(ports) - len(names); rest > 0 {
		names = append(names, fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(names, ", ")
}
