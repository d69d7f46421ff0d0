package serial

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Info describes a serial port of this machine as sysfs shows it.
type Info struct {
	// Name finds the port again in a site file: by its adapter where it has one,
	// whatever the kernel calls it after the next plugging in; else it is Path.
	Name   string
	Path   string // what the kernel calls it now, such as /dev/ttyUSB0
	ByID   string // the link that udev made in /dev/serial/by-id; empty without udev
	Driver string // of the kernel, such as ftdi_sio; empty if it does not say

	// Of a USB adapter, else empty.
	VID, PID  string // vendor and product: four hexadecimal digits in lower case
	Serial    string // of the adapter; cheap ones have none
	Product   string // as the adapter calls itself
	Socket    string // where it is plugged in, such as 1-1.2
	Interface string // which of its ports, as in by-id names: if00
}

// String returns what a person needs to recognise the port.
func (i Info) String() string {
	var about []string
	for _, s := range []string{i.Path, i.Driver, i.ByID} {
		if s != "" && s != i.Name {
			about = append(about, s)
		}
	}
	if len(about) == 0 {
		return i.Name
	}
	return i.Name + " (" + strings.Join(about, ", ") + ")"
}

// List returns the serial ports of this machine in the order of their paths. It
// reads sysfs and opens no port: the library's own list sets every ttyS to 9600
// 8N1, also under the program that uses it.
func List() ([]Info, error) { return list("/") }

// list is List for a machine whose file system is below root.
func list(root string) ([]Info, error) {
	class := filepath.Join(root, "sys/class/tty")
	entries, err := os.ReadDir(class)
	if err != nil {
		return nil, err
	}
	byID := linksIn(filepath.Join(root, "dev/serial/by-id"))
	var ports []Info
	for _, e := range entries {
		if strings.Trim(e.Name(), "0123456789") == "tty" {
			continue // a console; there are 64, and a missing port is looked for often
		}
		if device := deviceOf(filepath.Join(class, e.Name())); device != "" {
			p := Info{Path: filepath.Join(root, "dev", e.Name()), ByID: byID[e.Name()]}
			p.describe(device)
			ports = append(ports, p)
		}
	}
	slices.SortFunc(ports, func(a, b Info) int {
		return cmp.Or(cmp.Compare(len(a.Path), len(b.Path)), cmp.Compare(a.Path, b.Path)) // ttyS2 before ttyS10
	})
	nameAll(ports)
	return ports, nil
}

// deviceOf returns the device DEVICE of a tty, to whose DEVICE/tty/NAME its entry
// in the class leads, or nothing: pseudo-terminals have none, and a slot of the
// 8250 driver that found no hardware is no port.
func deviceOf(tty string) string {
	link, err := os.Readlink(tty)
	if err != nil || strings.Contains(link, "/virtual/") || attribute(tty, "type") == "0" {
		return ""
	}
	return filepath.Join(filepath.Dir(tty), link, "../..")
}

// describe reads what the device and those above it say. Nearest to the port is
// its driver; a USB interface and the adapter come above.
func (i *Info) describe(device string) {
	const levels = 6 // a port of an adapter is 3 below it at most
	for range levels {
		if i.Driver == "" {
			i.Driver = driverOf(device)
		}
		if n := attribute(device, "bInterfaceNumber"); n != "" {
			i.Interface = "if" + n
		}
		if vid := attribute(device, "idVendor"); vid != "" {
			i.VID, i.PID = strings.ToLower(vid), strings.ToLower(attribute(device, "idProduct"))
			i.Serial, i.Product = attribute(device, "serial"), attribute(device, "product")
			i.Socket = filepath.Base(device)
			return
		}
		device = filepath.Dir(device)
	}
}

// driverOf returns the driver of a device. The layer that newer kernels put
// between a UART and its driver says nothing.
func driverOf(device string) string {
	link, err := os.Readlink(filepath.Join(device, "driver"))
	if err != nil || strings.Contains(link, "/serial-base/") {
		return ""
	}
	return filepath.Base(link)
}

// attribute reads one line of sysfs. What an adapter says of itself is not
// believed to be short.
func attribute(dir, name string) string {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, 256))
	return strings.TrimSpace(string(b))
}

// linksIn returns the links in a folder by the last element of what they stand
// for.
func linksIn(dir string) map[string]string {
	links := map[string]string{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		link := filepath.Join(dir, e.Name())
		if to, err := os.Readlink(link); err == nil {
			links[filepath.Base(to)] = link
		}
	}
	return links
}

// nameAll gives each port the shortest name that fits it alone.
func nameAll(ports []Info) {
	for i := range ports {
		p := &ports[i]
		p.Name = p.Path
		if p.VID == "" {
			continue
		}
		usb := "usb:" + p.VID + ":" + p.PID
		candidates := []string{usb + "@" + p.Socket, usb + "@" + p.socketInterface()}
		if p.Serial != "" {
			usb += ":" + p.Serial
			candidates = []string{usb, usb + "@" + p.Interface, usb + "@" + p.socketInterface()}
		}
		for _, c := range candidates {
			if n, err := parseName(c); err == nil && len(n.among(ports)) == 1 {
				p.Name = c
				break
			}
		}
	}
}
