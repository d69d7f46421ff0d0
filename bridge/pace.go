package bridge

import "time"

// Rate is the most that a bridge sends in a second; 0 stands for as much as the
// link carries.
type Rate struct {
	Messages int
	Bytes    int
}

// burst is how much may be sent ahead of the rate.
const burst = 100 * time.Millisecond

// pace keeps to a rate. What was sent in a connection counts in the next, too.
type pace struct {
	Rate
	messages, bytes time.Time // until when the rate is used up
}

// due returns when the next message may go.
func (p *pace) due() time.Time {
	due := p.messages
	if p.bytes.After(due) {
		due = p.bytes
	}
	return due.Add(-burst)
}

// sent takes note of a message of n bytes.
func (p *pace) sent(now time.Time, n int) {
	if p.Messages > 0 {
		p.messages = after(p.messages, now, time.Second/time.Duration(p.Messages))
	}
	if p.Bytes > 0 {
		p.bytes = after(p.bytes, now, time.Duration(n)*time.Second/time.Duration(p.Bytes))
	}
}

// after returns when a rate that is used up until then is free again.
func after(then, now time.Time, takes time.Duration) time.Time {
	if then.Before(now) {
		then = now
	}
	return then.Add(takes)
}
