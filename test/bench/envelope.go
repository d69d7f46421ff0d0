package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"sluice/bridge"
	"sluice/bridge/envelope"
	"sluice/bridge/queue"
	"sluice/bridge/upstream"
	"sluice/broker/topic"
	"sluice/test/remote"
)

// A site as it sends to the cloud.
const (
	siteDevices = 20
	siteValues  = 10 // of a device, in one JSON message
	siteEvery   = 10 * time.Second
	siteSpan    = 10 * time.Minute
	month       = 30 * 24 * time.Hour
	envelopesTo = "envelopes/site"
)

// envelopes measures what the link carries for a site in real time, with TLS, as
// the kernel counts it, headers and acknowledgements included. The cases run side
// by side. Connecting is left out.
func envelopes(ctx context.Context, o options) ([]row, error) {
	span := siteSpan
	if o.short {
		span /= 5
	}
	identity, err := newIdentity()
	if err != nil {
		return nil, err
	}
	ages := []time.Duration{0, 10 * time.Second, time.Minute, 5 * time.Minute}
	rows, errs := make([]row, len(ages)), make([]error, len(ages)+1)
	var running sync.WaitGroup
	var idle siteRun
	running.Go(func() { errs[len(ages)] = idle.run(ctx, identity, 0, 0) })
	for i, age := range ages {
		running.Go(func() {
			var r siteRun
			errs[i] = r.run(ctx, identity, age, span)
			rows[i] = row{Bench: "envelope", Stack: "sluice", Case: "by itself"}
			if age > 0 {
				rows[i].Case = fmt.Sprintf("envelopes of %v", age)
			}
			rows[i].Figures = r.figures(span)
		})
	}
	running.Wait()
	for i := range rows {
		f := rows[i].Figures
		f["MB_month"] -= float64(idle.spent.Load()) * float64(month) / float64(span) / 1e6
		f["link_bytes_value"] -= float64(idle.spent.Load()) / (f["messages"] * siteValues)
	}
	return rows, errors.Join(errs...)
}

// siteRun is one bridge and the broker upstream.
type siteRun struct {
	spent     atomic.Int64
	published int

	mu       sync.Mutex
	arrived  map[string]int
	packets  int
	payloads int // bytes
}

func (r *siteRun) figures(span time.Duration) figures {
	r.mu.Lock()
	defer r.mu.Unlock()
	missing, again := r.published-len(r.arrived), 0
	for _, n := range r.arrived {
		again += n - 1
	}
	values := float64(r.published * siteValues)
	return figures{
		"MB_month":            float64(r.spent.Load()) * float64(month) / float64(span) / 1e6,
		"link_bytes_value":    float64(r.spent.Load()) / values,
		"payload_bytes_value": float64(r.payloads) / values,
		"messages":            float64(r.published),
		"packets":             float64(r.packets),
		"missing":             float64(missing),
		"again":               float64(again),
	}
}

// judge counts what arrives.
func (r *siteRun) judge(m remote.Message) remote.Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch m.Topic {
	case "state":
		return remote.Acknowledge
	case envelopesTo:
		e, err := envelope.Open(m.Payload)
		if err != nil {
			return remote.HangUp
		}
		for _, inside := range e.Messages {
			r.arrived[inside.Topic+string(inside.Payload)]++
		}
	default:
		r.arrived[m.Topic+string(m.Payload)]++
	}
	r.packets++
	r.payloads += len(m.Payload)
	return remote.Acknowledge
}

// run publishes for so long, and waits until everything has arrived.
func (r *siteRun) run(ctx context.Context, identity tls.Certificate, age, span time.Duration) error {
	r.arrived = map[string]int{}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	server := &remote.Broker{Judge: r.judge}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go server.Serve(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{identity}}))
		}
	}()
	dir, leave, err := scratch()
	if err != nil {
		return err
	}
	defer leave()
	q, err := queue.Open(queue.Config{Dir: dir, Epochs: true}, nil)
	if err != nil {
		return err
	}
	defer q.Close()
	b := r.bridge(ln.Addr().String(), identity, q, age)
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- b.Run(running) }()
	err = r.publish(ctx, b, span)
	cancel()
	return errors.Join(err, <-done)
}

func (r *siteRun) bridge(address string, identity tls.Certificate, q *queue.Queue, age time.Duration) *bridge.Bridge {
	roots := x509.NewCertPool()
	roots.AddCert(identity.Leaf)
	say := func(uint64, string) topic.Message { return topic.Message{Topic: "state"} }
	cfg := bridge.Config{
		ID: "bench", KeepAlive: time.Minute, Birth: say, Farewell: say, Send: []bridge.Rule{{Match: "#"}},
		Will: func(uint64) topic.Message { return topic.Message{Topic: "state"} },
		Lost: func(queue.Name, queue.Gap) topic.Message { return topic.Message{Topic: "lost"} },
	}
	if age > 0 {
		cfg.Envelopes = bridge.Envelopes{To: envelopesTo, Gateway: "site", Age: age, Size: 16 << 10}
	}
	return bridge.New(cfg, q, func(ctx context.Context) (bridge.Path, error) {
		p, err := upstream.Dial(ctx, upstream.Config{
			URL: "mqtts://" + address, ClientID: "bench", KeepAlive: cfg.KeepAlive,
			TLS: &tls.Config{RootCAs: roots}, Spend: func(n int64) { r.spent.Add(n) },
		})
		if err != nil {
			return nil, err
		}
		return upstreamPath{p}, nil
	}, slog.New(slog.DiscardHandler))
}

// publish offers the messages of each period, and waits for the last.
func (r *siteRun) publish(ctx context.Context, b *bridge.Bridge, span time.Duration) error {
	devices := newDevices()
	tick := time.NewTicker(siteEvery)
	defer tick.Stop()
	for range span / siteEvery {
		for _, d := range devices {
			if _, err := b.Offer(d.next(time.Now())); err != nil {
				return err
			}
			r.published++
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(siteSpan); ; {
		if s := b.Stats(); s.Connected && s.Backlog() == 0 && s.Delivered >= uint64(r.published) {
			return nil
		}
		if time.Now().After(end) {
			return errors.New("not everything was delivered")
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// siteDevice is a meter.
type siteDevice struct {
	number int
	cycle  float64
	rng    *mathrand.Rand
}

func newDevices() (all []*siteDevice) {
	for i := range siteDevices {
		all = append(all, &siteDevice{number: i + 1, cycle: 100 * float64(i), rng: mathrand.New(mathrand.NewPCG(1, uint64(i)))})
	}
	return all
}

// quantities are what a meter measures: about base, swinging slowly, with noise in
// the last digits. What grows with each message is a counter.
var quantities = [siteValues]struct {
	name                       string
	base, swing, noise, growth float64
}{
	{"u_l1", 230, 2, 0.5, 0}, {"u_l2", 231, 2, 0.5, 0}, {"u_l3", 229, 2, 0.5, 0},
	{"i_l1", 12, 3, 0.25, 0}, {"i_l2", 11, 3, 0.25, 0}, {"i_l3", 13, 3, 0.25, 0},
	{"p_total", 8.1, 2, 0.12, 0}, {"energy", 104211.5, 0, 0, 0.22}, {"freq", 50, 0, 0.02, 0}, {"temp", 41, 4, 0.05, 0},
}

func (d *siteDevice) next(now time.Time) topic.Message {
	text := fmt.Appendf(nil, `{"ts":%d`, now.UnixMilli())
	for i, q := range quantities {
		v := q.base + q.swing*math.Sin(d.cycle/50+float64(i)) + q.noise*(2*d.rng.Float64()-1) + q.growth*d.cycle
		text = fmt.Appendf(text, `,"%s":%.2f`, q.name, v)
	}
	d.cycle++
	return topic.Message{Topic: fmt.Sprintf("plant/meter-%02d", d.number), Payload: append(text, '}'), QoS: 1, Retain: true}
}

// newIdentity returns a certificate for loopback that trusts itself.
func newIdentity() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}
