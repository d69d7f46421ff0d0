package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// chatter is mochi's log in ours: its errors are warnings, since none of them
// ends the broker, and the rest is for debugging. Whole packets are left out: they
// hold payloads, and CONNECT holds a password.
type chatter struct{ slog.Handler }

func (c chatter) Enabled(ctx context.Context, level slog.Level) bool {
	return c.Handler.Enabled(ctx, chatterLevel(level))
}

func (c chatter) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, chatterLevel(r.Level), "mochi: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "pk", "packet", "will":
		default:
			out.AddAttrs(a)
		}
		return true
	})
	return c.Handler.Handle(ctx, out)
}

func (c chatter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return chatter{c.Handler.WithAttrs(attrs)}
}

func (c chatter) WithGroup(name string) slog.Handler { return chatter{c.Handler.WithGroup(name)} }

func chatterLevel(level slog.Level) slog.Level {
	if level >= slog.LevelError {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

const (
	noticeEvery = 10 * time.Minute
	noticeKeys  = 256
)

// notices keeps a client that repeats itself from filling the log: a warning
// about the same thing is given once per noticeEvery.
type notices struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (n *notices) warn(log *slog.Logger, about, msg string, args ...any) {
	if n.due(about, time.Now()) {
		log.Warn(msg, args...)
	}
}

func (n *notices) due(about string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last, ok := n.last[about]; ok && now.Sub(last) < noticeEvery {
		return false
	}
	if n.last == nil || len(n.last) >= noticeKeys {
		n.last = map[string]time.Time{}
	}
	n.last[about] = now
	return true
}
