package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"sluice/bridge"
	"sluice/bridge/queue"
	"sluice/bridge/upstream"
	"sluice/broker/topic"
)

func scratch() (dir string, leave func(), err error) {
	dir, err = os.MkdirTemp("", "sluice-bench-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// sluiceRelay is our bridge on a queue on disk.
type sluiceRelay struct {
	queue   *queue.Queue
	bridge  *bridge.Bridge
	cancel  context.CancelFunc
	running sync.WaitGroup
}

type upstreamPath struct{ *upstream.Path }

func (p upstreamPath) Open(ctx context.Context, will topic.Message) (bridge.Session, error) {
	s, err := p.Path.Open(ctx, &will)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func newSluiceRelay(address, dir string) (relay, error) {
	log := slog.New(slog.DiscardHandler)
	q, err := queue.Open(queue.Config{Dir: dir, Lanes: map[queue.Name]queue.Limits{queue.Alarm: {CommitDelay: 10 * time.Millisecond}}}, log)
	if err != nil {
		return nil, err
	}
	say := func(uint64, string) topic.Message { return topic.Message{Topic: "state"} }
	keepAlive := time.Minute
	r := &sluiceRelay{queue: q}
	r.bridge = bridge.New(bridge.Config{
		ID: "bench", KeepAlive: keepAlive, Birth: say, Farewell: say,
		Send: []bridge.Rule{{Match: alarmTopic, Lane: queue.Alarm}, {Match: "#"}},
		Will: func(uint64) topic.Message { return topic.Message{Topic: "state"} },
		Lost: func(queue.Name, queue.Gap) topic.Message { return topic.Message{Topic: "lost"} },
	}, q, func(ctx context.Context) (bridge.Path, error) {
		p, err := upstream.Dial(ctx, upstream.Config{URL: "mqtt://" + address, ClientID: "bench", KeepAlive: keepAlive})
		if err != nil {
			return nil, err
		}
		return upstreamPath{p}, nil
	}, log)
	return r, nil
}

func (r *sluiceRelay) load(ctx context.Context, n int) error {
	running, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.running.Go(func() { r.bridge.Run(running) })
	for i := range n {
		if _, err := r.bridge.Offer(topic.Message{Topic: bridgeTopic, Payload: bridgePayload(i), QoS: 1}); err != nil {
			return err
		}
	}
	return nil
}

func (r *sluiceRelay) alarm(ctx context.Context, payload []byte) error {
	_, err := r.bridge.Offer(topic.Message{Topic: alarmTopic, Payload: payload, QoS: 1})
	return err
}

func (r *sluiceRelay) close() {
	if r.cancel != nil {
		r.cancel()
	}
	r.running.Wait()
	r.queue.Close()
}

// pahoRelay is what most programs do: paho reconnects, and stores in files what
// was not acknowledged.
type pahoRelay struct{ client mqtt.Client }

func newPahoRelay(address, dir string) (relay, error) {
	return &pahoRelay{mqtt.NewClient(mqtt.NewClientOptions().
		AddBroker("tcp://" + address).SetClientID("bench").SetCleanSession(false).SetStore(mqtt.NewFileStore(dir)).
		SetAutoReconnect(true).SetConnectRetry(true).SetConnectRetryInterval(2 * time.Second).
		SetMaxReconnectInterval(8 * time.Second).SetKeepAlive(30 * time.Second).SetPingTimeout(10 * time.Second))}, nil
}

// load publishes from a goroutine of its own, 100 messages ahead of the PUBACKs.
func (r *pahoRelay) load(ctx context.Context, n int) error {
	r.client.Connect()
	go func() {
		ahead := make(chan mqtt.Token, 100)
		go func() {
			for t := range ahead {
				select {
				case <-t.Done():
				case <-ctx.Done():
				}
			}
		}()
		defer close(ahead)
		for i := range n {
			select {
			case ahead <- r.client.Publish(bridgeTopic, 1, false, bridgePayload(i)):
			case <-ctx.Done():
				return
			}
		}
	}()
	return nil
}

func (r *pahoRelay) alarm(_ context.Context, payload []byte) error {
	go r.client.Publish(alarmTopic, 1, false, payload)
	return nil
}

func (r *pahoRelay) close() { r.client.Disconnect(0) }

// mosquittoRelay is Debian's mosquitto as a bridge, with a queue as long as it has
// to be.
type mosquittoRelay struct {
	process *exec.Cmd
	local   mqtt.Client
}

const mosquittoConf = `listener %d 127.0.0.1
allow_anonymous true
persistence true
persistence_location %s/
max_queued_messages 0
max_inflight_messages 100
connection bench
address %s
remote_clientid bench
topic plant/# out 1
notifications false
bridge_protocol_version mqttv311
try_private false
cleansession false
restart_timeout 1 8
keepalive_interval 30
`

func newMosquittoRelay(address, dir string) (relay, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, mosquittoConf, port, dir, address), 0o644); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o777); err != nil { // it becomes another user
		return nil, err
	}
	r := &mosquittoRelay{process: exec.Command("mosquitto", "-c", conf)}
	if err := r.process.Start(); err != nil {
		return nil, err
	}
	r.local = mqtt.NewClient(mqtt.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", port)).
		SetClientID("loader").SetConnectRetry(true).SetConnectRetryInterval(200 * time.Millisecond))
	if t := r.local.Connect(); !t.WaitTimeout(10 * time.Second) {
		r.close()
		return nil, errors.New("mosquitto does not answer")
	}
	return r, nil
}

func (r *mosquittoRelay) load(ctx context.Context, n int) error {
	ahead := make([]mqtt.Token, 0, 50)
	for i := range n {
		if ahead = append(ahead, r.local.Publish(bridgeTopic, 1, false, bridgePayload(i))); len(ahead) < cap(ahead) {
			continue
		}
		for _, t := range ahead {
			if !t.WaitTimeout(30*time.Second) || t.Error() != nil {
				return fmt.Errorf("load mosquitto: %w", t.Error())
			}
		}
		ahead = ahead[:0]
	}
	return nil
}

func (r *mosquittoRelay) alarm(_ context.Context, payload []byte) error {
	r.local.Publish(alarmTopic, 1, false, payload)
	return nil
}

func (r *mosquittoRelay) close() {
	r.local.Disconnect(0)
	r.process.Process.Kill()
	r.process.Wait()
}
