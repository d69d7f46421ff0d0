package status

import (
	"context"
	"log/slog"
	"slices"
)

// Tee returns a handler that hands records to h, and notes those of level Info and
// above as events.
func (b *Board) Tee(h slog.Handler) slog.Handler { return tee{h, b, nil, ""} }

type tee struct {
	slog.Handler
	board *Board
	attrs []Attr
	group string
}

// Enabled reports true for what becomes an event, even if the log leaves it out.
func (t tee) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || t.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (t tee) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo {
		e := Event{At: r.Time, Level: r.Level.String(), Message: r.Message, Attrs: slices.Clone(t.attrs)}
		r.Attrs(func(a slog.Attr) bool {
			e.Attrs = append(e.Attrs, t.attr(a))
			return true
		})
		t.board.Note(e)
	}
	if !t.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return t.Handler.Handle(ctx, r)
}

func (t tee) attr(a slog.Attr) Attr { return Attr{t.group + a.Key, a.Value.Resolve().String()} }

// WithAttrs implements slog.Handler.
func (t tee) WithAttrs(attrs []slog.Attr) slog.Handler {
	t.attrs = slices.Clip(t.attrs)
	for _, a := range attrs {
		t.attrs = append(t.attrs, t.attr(a))
	}
	t.Handler = t.Handler.WithAttrs(attrs)
	return t
}

// WithGroup implements slog.Handler.
func (t tee) WithGroup(name string) slog.Handler {
	t.group += name + "."
	t.Handler = t.Handler.WithGroup(name)
	return t
}
