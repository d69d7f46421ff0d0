package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"sluice/drivers/sim"
	"sluice/gateway/config"
)

// outlet is where a simulated bus can be reached.
type outlet interface {
	// serve serves the bus there until ctx is cancelled.
	serve(ctx context.Context, bus *sim.Bus) error
	// replug takes the outlet away, waits, and puts it back.
	replug(wait func()) error
	// place is what a master is told to use.
	place() string
	close()
}

// newOutlet opens a virtual port for a bus on a port, an address of this machine for
// one on the network, or what the command line says.
func newOutlet(b config.Bus, port string) (outlet, error) {
	if port == "pty" && b.Port == "" {
		port = onNetwork + "127.0.0.1:0"
	}
	port = strings.ReplaceAll(port, "{bus}", b.ID)
	if address, ok := strings.CutPrefix(port, onNetwork); ok {
		n := &network{address: address}
		return n, n.open()
	}
	p := &pseudo{}
	if port != "pty" {
		var err error
		if p.link, err = filepath.Abs(port); err != nil { // site files and other commands want it whole
			return nil, err
		}
	}
	return p, p.open()
}

// pseudo is a virtual port, and a link to it if one was asked for.
type pseudo struct {
	*sim.PTY
	link string
}

func (p *pseudo) open() (err error) {
	if p.PTY, err = sim.OpenPTY(); err != nil {
		return err
	}
	if err = p.connect(); err != nil {
		p.Unplug()
	}
	return err
}

// connect makes the link.
func (p *pseudo) connect() error {
	if p.link == "" {
		return nil
	}
	err := os.Symlink(p.Path(), p.link)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return hint(err, "choose a path where nothing is; after a kill -9 remove the old link")
	default:
		return hint(err, "choose a path in a folder that you may write to")
	}
}

func (p *pseudo) serve(ctx context.Context, bus *sim.Bus) error { return bus.Serve(ctx, p.PTY) }

// replug comes back under another name, as adapters do: the old one is freed only
// when the new one has its own.
func (p *pseudo) replug(wait func()) error {
	next, err := sim.OpenPTY()
	if err != nil {
		return err
	}
	p.close()
	wait()
	p.PTY = next
	if err = p.connect(); err != nil {
		p.link = "" // which is somebody else's now
	}
	return err
}

func (p *pseudo) place() string {
	if p.link != "" {
		return p.link
	}
	return p.Path()
}

func (p *pseudo) close() {
	if p.link != "" {
		os.Remove(p.link)
	}
	p.Unplug()
}

// network is an address that is listened on.
type network struct {
	address string
	in      net.Listener
}

func (n *network) open() (err error) {
	if n.in, err = net.Listen("tcp", n.address); err != nil {
		return hint(fmt.Errorf("cannot listen on %s: %w", n.address, err), "write tcp://127.0.0.1:PORT with a port that is free")
	}
	n.address = n.in.Addr().String()
	return nil
}

func (n *network) serve(ctx context.Context, bus *sim.Bus) error { return bus.Listen(ctx, n.in) }

func (n *network) replug(wait func()) error {
	wait()
	return n.open()
}

func (n *network) place() string { return onNetwork + n.address }

func (n *network) close() { n.in.Close() }
