package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/gateway"
	"sluice/gateway/config"
	"sluice/gateway/control"
	"sluice/gateway/status"
)

// wire is a line that can be asked: one of our own, or one that belongs to a gateway
// that runs.
type wire interface {
	Do(modbus.Request, modbus.Timing) ([]byte, error)
	Close() error
}

// reach finds the gateway that runs on this machine.
type reach struct {
	site, state, socket string
}

// installedState is the state folder of an installed service, looked at where none is
// named.
const installedState = "/var/lib/sluice"

// add adds the flag of commands that may go through the gateway.
func (r *reach) add(f *flag.FlagSet) { f.StringVar(&r.socket, "socket", "", "") }

// addAll adds the flags of commands that need it.
func (r *reach) addAll(f *flag.FlagSet) {
	r.add(f)
	f.StringVar(&r.site, "c", defaultSite, "")
	f.StringVar(&r.state, "state", "", "")
}

// path is where the socket should be.
func (r reach) path() string {
	if r.socket != "" {
		return r.socket
	}
	path := control.Path(stateDir(r.state, cmp.Or(r.site, defaultSite)))
	if installed := control.Path(installedState); r.state == "" && !exists(path) && exists(installed) {
		return installed
	}
	return path
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// gateway returns a client of the gateway, which the caller closes.
func (r reach) gateway() *control.Client { return control.NewClient(r.path()) }

// explainGateway adds to an error of the gateway what to do about it.
func (r reach) explain(err error) error {
	switch {
	case errors.Is(err, control.ErrNobody):
		return hint(fmt.Errorf("%w: nothing answers on %s", control.ErrNobody, r.path()),
			"start it with `sluice run`; or say where its state folder is: -state FOLDER, or -c FILE for the site file beside it")
	case errors.Is(err, os.ErrPermission):
		return hint(err, "be of the user or the group that the gateway runs as, or root")
	case errors.Is(err, control.ErrUnknown):
		return hint(err, "`sluice status` lists buses, devices and bridges")
	}
	return err
}

// askTime is how long a gateway may take to say how it does.
const askTime = 5 * time.Second

// to opens a line: that of the gateway, if one runs and has it, or else the port.
func (r reach) to(ctx context.Context, b config.Bus, tracer gateway.Tracer, t terminal) (wire, error) {
	l, err := r.lend(ctx, b, t)
	switch {
	case err != nil:
		return nil, err
	case l == nil:
	case tracer != nil:
		return nil, usage("-trace: bus %s belongs to the running gateway", "let it trace: sluice trace "+l.bus.ID, l.bus.ID)
	default:
		return l, nil
	}
	port, err := gateway.OpenBus(ctx, b, new(modbus.Doubts), tracer)
	if err != nil {
		return nil, explainPort(err)
	}
	return own{port, modbus.NewClient(port)}, nil
}

// own is a port that this command has opened.
type own struct {
	bus.Transport
	client *modbus.Client
}

func (o own) Do(req modbus.Request, t modbus.Timing) ([]byte, error) { return o.client.Do(req, t) }

// lent is a line of the gateway.
type lent struct {
	ctx    context.Context // of the command
	client *control.Client
	bus    status.Bus
	inTurn bool // behind what the gateway asks itself, instead of before it
}

// lend returns the line of the gateway that is where b is; nil if none runs that has it.
func (r reach) lend(ctx context.Context, b config.Bus, t terminal) (*lent, error) {
	client := r.gateway()
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	s, err := client.Status(asking)
	if errors.Is(err, control.ErrNobody) {
		return nil, nil
	}
	if err != nil {
		return nil, r.explain(err)
	}
	for _, has := range s.Buses {
		if sameLine(has, b) {
			fmt.Fprintf(t.err, "through the running gateway, which has it as bus %s%s\n", has.ID, at(has))
			return &lent{ctx: ctx, client: client, bus: has}, nil
		}
	}
	client.Close()
	return nil, nil
}

func at(b status.Bus) string {
	if b.Line == "" {
		return ""
	}
	return " at " + b.Line
}

// sameLine reports whether a bus of the gateway is where b is.
func sameLine(has status.Bus, b config.Bus) bool {
	if place := b.Port + b.Dial + b.Listen; place == "" || has.Place == place {
		return place != ""
	}
	one, err1 := os.Stat(has.Path)
	other, err2 := os.Stat(b.Port)
	return err1 == nil && err2 == nil && os.SameFile(one, other)
}

// Do implements wire.
func (l *lent) Do(req modbus.Request, t modbus.Timing) ([]byte, error) {
	return l.client.Exchange(l.ctx, l.bus.ID, l.inTurn, req, t)
}

func (l *lent) Close() error {
	l.client.Close()
	return nil
}

// Framing implements scan.Port.
func (l *lent) Framing() modbus.Framing {
	for _, f := range []modbus.Framing{modbus.ASCII, modbus.TCP} {
		if f.String() == l.bus.Framing {
			return f
		}
	}
	return modbus.RTU
}

// line is how characters travel on a serial port.
func (l *lent) line() (modbus.Line, bool) {
	var format string
	var out modbus.Line
	if _, err := fmt.Sscan(l.bus.Line, &out.Baud, &format); err != nil {
		return out, false
	}
	var err error
	out.DataBits, out.Parity, out.StopBits, err = modbus.ParseFormat(format)
	return out, err == nil
}

// Heard implements scan.Port: the gateway does not tell.
func (l *lent) Heard() int { return 0 }
