package config

import (
	"net"
	"strconv"

	"sluice/mapping"
)

// defaultListen is where the LAN broker serves when the file does not say.
const defaultListen = "127.0.0.1:1883"

func (r *reader) broker(n mapping.Node) Broker {
	m := n.As("broker").Map("listen")
	var b Broker
	for _, item := range m.Get("listen").Seq() {
		address := item.Map("address").Named("broker: listen").Need("address", defaultListen)
		if s := address.Text(); s != "" {
			checkListen(address, s)
			b.Listen = append(b.Listen, s)
		}
	}
	if len(b.Listen) == 0 {
		b.Listen = []string{defaultListen}
	}
	return b
}

// checkListen reports an address that cannot or must not be served.
func checkListen(n mapping.Node, s string) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		n.Problem("write host:port, e.g. "+defaultListen, "%q is not an address to listen on", s)
		return
	}
	if p, err := strconv.Atoi(port); err != nil || p < 0 || p > 65535 {
		n.Problem("write a port from 1 to 65535, e.g. 1883; 0 chooses a free one", "%q is not a port", port)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		n.Problem("write 127.0.0.1:"+port, "%s can be reached from outside, and this version has no users and no TLS to protect it", s)
	}
}
