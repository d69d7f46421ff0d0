package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The site, of which only the broker has work. A hundred values read every 10 s
// would make ten messages a second; here it is a hundred times as many.
const clientsSite = `version: 1
site: soak
buses: [{id: line, port: %[1]s/no-such-port, baud: 9600, format: 8N1}]
devices: [{id: none, bus: line, unit: 1, points: [{id: none, register: holding 0x0000}]}]
broker:
  listen: [{address: "%[2]s", protocol: mqtts}]
  users: [{name: soak, password: {file: password}, read: ["#", "$SYS/#"], write: ["lan/#", "kept/#"]}]
  sessions: {size: 128MiB}
  limits: {clients: 200, connects: 1000}
`

// lanDisk is what the gateway may have on disk: its log of sessions, at most as large
// as the site says, and little else. A sixth of the log is messages, which has to be
// more than all who are away together can owe it: beyond that they may be dropped.
const lanDisk = 150 // MB

const lanPassword = "not much of a secret"

// lan is the broker under test and what its clients were promised.
type lan struct {
	address string
	trust   *tls.Config
	ledger  ledger
	judged  []*lanSubscriber
}

// soakLAN has clients of all sorts at work on the broker of a gateway for so long,
// and judges what the gateway took and what became of the messages.
func soakLAN(ctx context.Context, span time.Duration, verbose bool) error {
	dir, err := os.MkdirTemp("", "sluice-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	l := &lan{address: loopback(ports[0])}
	site := filepath.Join(dir, "site.yaml")
	err = errors.Join(os.WriteFile(site, fmt.Appendf(nil, clientsSite, dir, l.address), 0o600),
		os.WriteFile(filepath.Join(dir, "password"), []byte(lanPassword+"\n"), 0o600))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var gateway sync.WaitGroup
	var samples []sample
	var broken error
	gateway.Go(func() {
		samples, broken = watch(ctx, dir, site, verbose)
		stop()
	})
	err = l.soak(ctx, span, filepath.Join(dir, "state", "tls", "ca.crt"))
	stop()
	gateway.Wait()
	fmt.Print(l)
	return errors.Join(broken, err, l.ledger.err(), flat(samples, comeAndGo), small(samples))
}

func small(samples []sample) error {
	most := 0.0
	for _, s := range samples {
		most = max(most, s.disk)
	}
	if most > lanDisk {
		return fmt.Errorf("there were %.1f MB on disk, which may be %d", most, lanDisk)
	}
	return nil
}

// soak returns when all clients are done, with what disturbed those that nothing
// may disturb.
func (l *lan) soak(ctx context.Context, span time.Duration, authority string) error {
	if err := l.reach(ctx, authority); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var listening sync.WaitGroup
	defer listening.Wait()
	defer stop()
	if err := l.listen(ctx, &listening); err != nil {
		return err
	}
	until, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	var talking sync.WaitGroup
	for _, c := range l.talkers() {
		talking.Go(func() { l.ledger.fail(c(ctx, until)) })
	}
	talking.Wait()
	return errors.Join(l.settle(ctx), l.tellDrops(ctx))
}

// reach waits until the gateway has made its authority and answers.
func (l *lan) reach(ctx context.Context, authority string) error {
	err := errors.New("not tried")
	for end := time.Now().Add(lanPatience); err != nil && time.Now().Before(end) && pause(ctx, 100*time.Millisecond); {
		var text []byte
		if text, err = os.ReadFile(authority); err != nil {
			continue
		}
		l.trust = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
		l.trust.RootCAs.AppendCertsFromPEM(text)
		var c *lanClient
		if c, err = l.connect(ctx, hello{id: "first"}); err == nil {
			c.leave()
		}
	}
	return err
}

// listen subscribes all who are judged by what they get, and those who are there
// only to be a burden.
func (l *lan) listen(ctx context.Context, listening *sync.WaitGroup) error {
	l.judged = append(l.judged, l.subscriber("live-1", 1, false), l.subscriber("live-2", 2, false))
	for n := range 4 {
		l.judged = append(l.judged, l.subscriber(fmt.Sprint("away-", n), 2, true))
	}
	for _, s := range l.judged {
		if err := s.subscribe(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		listening.Go(func() { l.ledger.fail(s.run(ctx)) })
	}
	if err := l.forsake(ctx); err != nil {
		return err
	}
	for qos := range byte(2) {
		listening.Go(func() { l.slow(ctx, qos) })
	}
	return nil
}

// talker is at work until the second context ends, and finishes what it has begun
// before the first does.
type talker func(ctx, until context.Context) error

func (l *lan) talkers() []talker {
	all := []talker{l.keep, l.compare}
	for n := range 2 {
		for qos := range byte(3) {
			all = append(all, l.publisher(fmt.Sprintf("q%d-steady-%d", qos, n), qos, false).run)
		}
		all = append(all, l.publisher(fmt.Sprint("q1-dying-", n), 1, true).run, l.publisher(fmt.Sprint("q2-dying-", n), 2, true).run)
		all = append(all, l.mortal(fmt.Sprint("will-", n)))
	}
	return all
}

// tellDrops prints what the broker has counted as dropped, by reason: full is of
// those who are slow or gone, and memory would be anybody's.
func (l *lan) tellDrops(ctx context.Context) error {
	c, err := l.connect(ctx, hello{id: "last"})
	if err != nil {
		return err
	}
	defer c.leave()
	if err := c.subscribe("$SYS/broker/dropped/#", 0); err != nil {
		return err
	}
	if _, err := c.Write([]byte{0xc0, 0}); err != nil {
		return err
	}
	for {
		first, body, err := c.next()
		if err != nil || first == 0xd0 {
			return err
		}
		m, err := parseMessage(first, body)
		if err != nil {
			return err
		}
		fmt.Printf("%s %s\n", m.topic, m.payload)
	}
}

// settle waits until everybody has what was acknowledged.
func (l *lan) settle(ctx context.Context) error {
	err := errors.New("not looked")
	for end := time.Now().Add(lanPatience); err != nil && time.Now().Before(end) && pause(ctx, 100*time.Millisecond); {
		err = nil
		for _, s := range l.judged {
			err = errors.Join(err, s.misses(l.ledger.promised()))
		}
	}
	return err
}
