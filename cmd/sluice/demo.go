package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/broker"
	"sluice/broker/topic"
	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/drivers/sim/device"
	"sluice/gateway"
	"sluice/gateway/config"
)

// settle is how long before the end of a timed demo the link stays up, so that
// the queue can empty.
const settle = 4 * time.Second

var demoLine = modbus.Line{Baud: 19200, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}

func runDemo(ctx context.Context, args []string, t terminal) error {
	f := flags("demo")
	lasts := f.Duration("for", 0, "")
	port := f.Int("port", 1883, "")
	if err := parse(f, args); err != nil {
		return helpOn(err, "demo", t)
	}
	if *lasts < 0 || *port < 0 || *port > 65535 {
		return usage("-for takes a time such as 15s, -port a number up to 65535", "run `sluice help demo`")
	}
	d, err := newDemo(*port, t)
	if err != nil {
		return err
	}
	defer d.close()
	return d.run(ctx, *lasts)
}

// demo is a whole site in one process: simulated devices, the gateway, the cloud
// and the link between them.
type demo struct {
	terminal
	dir     string // of the site file and the queue, removed at the end
	pty     *sim.PTY
	bus     *sim.Bus
	cloud   *broker.Broker
	link    *link
	gateway *gateway.Gateway
	ledger  *ledger
	values  *values
	log     *slog.Logger
	events  *events

	helpers sync.WaitGroup // everything that runs beside the gateway
	stop    context.CancelFunc
}

// newDemo builds the demo and starts all but the gateway.
func newDemo(port int, t terminal) (*demo, error) {
	d := &demo{terminal: t, ledger: newLedger(), values: newValues(), events: newEvents()}
	d.log = slog.New(slog.NewTextHandler(d.events, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: withoutTime}))
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	if err := d.build(ctx, port); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *demo) build(ctx context.Context, port int) error {
	var err error
	if d.dir, err = os.MkdirTemp("", "sluice-demo-"); err != nil {
		return err
	}
	if err := d.startDevices(ctx); err != nil {
		return err
	}
	if err := d.startCloud(ctx); err != nil {
		return err
	}
	return d.buildGateway(d.listenAddress(port))
}

// startDevices serves three devices on a new pseudo-terminal.
func (d *demo) startDevices(ctx context.Context) error {
	pty, err := sim.OpenPTY()
	if err != nil {
		return fmt.Errorf("open a virtual serial port: %w", err)
	}
	now := time.Now()
	d.pty = pty
	d.bus = sim.New(sim.Config{Line: demoLine, Seed: uint64(now.UnixNano()), Units: map[modbus.UnitID]sim.Unit{
		1: {Device: device.NewMeter(now.AddDate(-3, 0, 0)), Latency: 15 * time.Millisecond, Jitter: 10 * time.Millisecond},
		2: {Device: device.Climate{}, Latency: 25 * time.Millisecond, Jitter: 5 * time.Millisecond},
		3: {Device: device.NewPLC(now), Latency: 4 * time.Millisecond},
	}})
	d.helpers.Go(func() { d.note(d.bus.Serve(ctx, pty)) })
	return nil
}

// startCloud serves a second broker that plays the cloud.
func (d *demo) startCloud(ctx context.Context) error {
	cloud, err := broker.New(broker.Config{Listen: []broker.Listener{broker.Local("127.0.0.1:0")}}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	cloud.Tap(func(m topic.Message) (func(context.Context) error, error) {
		if name, relayed := strings.CutPrefix(m.Topic, cloudPrefix); relayed {
			d.ledger.arrived(topic.Message{Topic: name, Payload: m.Payload})
		} else {
			d.log.Info("cloud hears", "topic", m.Topic, "payload", string(m.Payload))
		}
		return nil, nil
	})
	d.helpers.Go(func() { d.note(cloud.Run(ctx)) })
	select {
	case <-cloud.Ready():
		d.cloud = cloud
		return nil
	case <-time.After(5 * time.Second):
		return errors.New("the broker that plays the cloud does not start")
	}
}

// listenAddress is the local broker's: the wanted port, or a free one.
func (d *demo) listenAddress(port int) string {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintf(d.out, "port %d is taken, so the local broker gets a free one\n", port)
		return "127.0.0.1:0"
	}
	l.Close()
	return address
}

func (d *demo) buildGateway(listen string) error {
	var err error
	if d.link, err = newLink(d.cloud.Addrs()[0].String()); err != nil {
		return err
	}
	text := demoSite(d.pty.Path(), listen, d.link.address())
	site := filepath.Join(d.dir, "site.yaml")
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		return err
	}
	cfg, err := config.Load(site)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "# the site file of this demo\n%s\n", text)
	d.gateway, err = gateway.New(cfg, gateway.Options{
		StateDir: d.dir, Version: version(), Log: d.log, Tap: d.taken,
	})
	return err
}

// taken notes what the local broker has accepted for the cloud.
func (d *demo) taken(m topic.Message) (func(context.Context) error, error) {
	if strings.HasPrefix(m.Topic, "demo/") { // not what the gateway says of itself on the LAN
		d.ledger.taken(m)
	}
	d.values.note(m)
	return nil, nil
}

// run runs the gateway and shows it until ctx is cancelled or the time is over,
// and says how it went.
func (d *demo) run(ctx context.Context, lasts time.Duration) error {
	var deadline time.Time
	if lasts > 0 {
		deadline = time.Now().Add(lasts)
		timed, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		ctx = timed
	}
	linkCtx, stopLink := context.WithCancel(context.Background())
	var linking sync.WaitGroup
	linking.Go(func() { d.link.run(linkCtx, deadline, settle) })
	defer linking.Wait()
	defer stopLink()
	context.AfterFunc(ctx, func() { d.link.setCut(false) }) // so that the stop can say farewell

	done := make(chan error, 1)
	d.helpers.Go(func() { done <- d.gateway.Run(ctx) })
	d.show(ctx, lasts > 0)
	if err := <-done; err != nil {
		return err
	}
	return d.verdict(lasts > 0)
}

// verdict prints the balance; a timed demo fails unless values arrived and none
// is missing.
func (d *demo) verdict(timed bool) error {
	b := d.ledger.balance()
	fmt.Fprintf(d.out, "\n%d messages published, %d delivered to the cloud, %d lost, %d duplicated, %d still in the queue\n",
		b.taken, b.delivered, b.lost, b.duplicated, b.waits)
	switch {
	case b.lost > 0:
		return fmt.Errorf("%d messages lost", b.lost)
	case timed && b.delivered == 0:
		return errors.New("no value arrived in the cloud")
	case timed && b.waits > 0:
		return fmt.Errorf("%d messages had not arrived when the time was over", b.waits)
	}
	return nil
}

// close ends what newDemo started and removes its files.
func (d *demo) close() {
	d.stop()
	d.helpers.Wait()
	if d.pty != nil {
		d.pty.Unplug()
	}
	if d.gateway != nil {
		d.note(d.gateway.Close())
	}
	if d.dir != "" {
		d.note(os.RemoveAll(d.dir))
	}
}

// note shows an error of something beside the gateway.
func (d *demo) note(err error) {
	if err != nil {
		fmt.Fprintf(d.err, "sluice: demo: %v\n", err)
	}
}

// withoutTime drops the time from a log line: the screen has its own clock.
func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
		return slog.Attr{}
	}
	return a
}
