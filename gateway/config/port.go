package config

import (
	"net"
	"strconv"
	"strings"
	"time"

	"sluice/drivers/serial"
	"sluice/mapping"
)

// port reads the name of a serial port. Whether it is there is not asked: files
// are checked on other machines too.
func (b *Bus) port(n mapping.Node) {
	b.Port = n.Text()
	if b.Port == "" {
		return
	}
	err := serial.CheckName(b.Port)
	switch {
	case err == nil:
	case strings.HasPrefix(strings.ToUpper(b.Port), "COM") && !strings.Contains(b.Port, "/"):
		n.Problem("write the name it has on Linux, e.g. /dev/ttyUSB0", "%s is the name of a port on Windows", b.Port)
	case isNetwork(b.Port):
		n.Problem("write tcp: host:port, e.g. tcp: 192.0.2.40:502", "%s is no serial port, but on the network", b.Port)
	case strings.HasPrefix(b.Port, "usb"), strings.HasPrefix(b.Port, "serial"):
		n.Problem("write e.g. usb:0403:6001, usb:0403:6001:A50285BI, usb:1a86:7523@1-1.2 or serial:A50285BI", "%v", err)
	default:
		n.Problem("write /dev/"+strings.TrimPrefix(b.Port, "dev/"), "%v", err)
	}
}

// rs485 reads how the transceiver is switched; nil where nothing stands.
func rs485(n mapping.Node) *serial.RS485 {
	if !n.Present() {
		return nil
	}
	m := n.Map("by", "rts", "delay_before", "delay_after", "rx_during_tx", "terminate")
	r := &serial.RS485{
		Program:     m.Get("by").Choice("driver", "program") == "program",
		AfterSend:   m.Get("rts").Choice("on-send", "after-send") == "after-send",
		DelayBefore: rtsDelay(m.Get("delay_before")),
		DelayAfter:  rtsDelay(m.Get("delay_after")),
		RxDuringTx:  m.Get("rx_during_tx").Bool(false),
		Terminate:   m.Get("terminate").Bool(false),
	}
	for _, key := range []string{"rx_during_tx", "terminate"} {
		if n := m.Get(key); r.Program && n.Bool(false) {
			n.Problem("leave it out, or write by: driver", "only the driver of the port can do that")
		}
	}
	return r
}

func rtsDelay(n mapping.Node) time.Duration {
	d := n.Duration(0, serial.MaxRTSDelay, 0)
	if d%time.Millisecond != 0 {
		n.Problem("write whole milliseconds, e.g. 1ms", "%v is too fine: Linux counts in milliseconds", d)
	}
	return d
}

// isNetwork reports whether a port is one of TCP, with its host or without.
func isNetwork(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		port = s
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}
