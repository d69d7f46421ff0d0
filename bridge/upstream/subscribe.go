package upstream

import (
	"context"
	"fmt"
	"slices"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"sluice/broker/topic"
)

// receiver hands what comes down on. Paho acknowledges it afterwards.
func receiver(receive func(topic.Message)) mqtt.MessageHandler {
	return func(_ mqtt.Client, m mqtt.Message) {
		if receive != nil {
			receive(topic.Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retain: m.Retained()})
		}
	}
}

// subscribe waits for the SUBACK, before anything else is sent: no other answer
// could be taken for it.
func (s *Session) subscribe(ctx context.Context, filters map[string]byte) error {
	if len(filters) == 0 {
		return nil
	}
	s.wire.subscribing.Store(true)
	defer s.wire.subscribing.Store(false)
	token := s.client.SubscribeMultiple(filters, nil).(*mqtt.SubscribeToken)
	select {
	case <-token.Done():
	case <-s.wire.done:
		return fmt.Errorf("SUBSCRIBE: %w", s.wire.cause())
	case <-ctx.Done():
		return fmt.Errorf("no answer to SUBSCRIBE: %w", context.Cause(ctx))
	}
	const failure = 0x80
	granted := token.Result()
	for filter := range filters {
		if qos, ok := granted[filter]; !ok || qos == failure {
			s.denied = append(s.denied, filter)
		}
	}
	slices.Sort(s.denied)
	return nil
}

// Denied returns the filters of subscriptions that the broker refused.
func (s *Session) Denied() []string { return s.denied }
