package main

import (
	"errors"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// subscriber is who the messages are for: it sits beside the brokers upstream, in
// a session that outlives them if they can.
type subscriber struct {
	client mqtt.Client
	mu     sync.Mutex
	seen   map[id]bool
}

func subscribe(nodes []*node) (*subscriber, error) {
	s := &subscriber{seen: map[id]bool{}}
	subscribed := make(chan struct{})
	var once sync.Once
	o := mqtt.NewClientOptions().SetClientID("subscriber").SetCleanSession(false).SetOrderMatters(true).
		SetAutoReconnect(true).SetMaxReconnectInterval(500 * time.Millisecond).
		SetConnectRetry(true).SetConnectRetryInterval(200 * time.Millisecond).SetKeepAlive(5 * time.Second).SetPingTimeout(2 * time.Second)
	for _, n := range nodes {
		o.AddBroker("tcp://" + n.address)
	}
	o.SetOnConnectHandler(func(c mqtt.Client) {
		if t := c.Subscribe("soak/#", 1, s.take); t.WaitTimeout(10*time.Second) && t.Error() == nil {
			once.Do(func() { close(subscribed) })
		} else {
			c.Disconnect(0)
			c.Connect()
		}
	})
	s.client = mqtt.NewClient(o)
	s.client.Connect()
	select {
	case <-subscribed:
		return s, nil
	case <-time.After(nodeTime):
		s.client.Disconnect(0)
		return nil, errors.New("nobody upstream takes a subscription")
	}
}

func (s *subscriber) take(_ mqtt.Client, m mqtt.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, ok := parseID(m.Payload()); ok {
		s.seen[m] = true
	}
}
