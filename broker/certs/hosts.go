package certs

import (
	"net"
	"os"
	"slices"
)

// Hosts returns what clients may call this machine: its name, also as multicast
// DNS has it, localhost, and its addresses; and the names given.
func Hosts(more []string) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil && name != "localhost" {
		names = append(names, name, name+".local")
	}
	addrs, _ := net.InterfaceAddrs() // without them the names have to do
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			names = append(names, n.IP.String())
		}
	}
	names = append(names, more...)
	slices.Sort(names)
	return slices.Compact(names)
}
