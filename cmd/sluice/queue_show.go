package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"sluice/bridge/queue"
	"sluice/gateway/durable"
)

// laneFigures is the account of a lane as stats -json prints it.
type laneFigures struct {
	Bridge    string `json:"bridge"`
	Lane      string `json:"lane"`
	Appended  uint64 `json:"appended"`
	Delivered uint64 `json:"delivered"`
	Overflow  uint64 `json:"lost_overflow"`
	Expired   uint64 `json:"lost_age"`
	Damage    uint64 `json:"lost_damage"`
	Untold    uint64 `json:"lost_untold"`
	Dead      uint64 `json:"dead"`
	Backlog   uint64 `json:"backlog"`
	Next      uint64 `json:"next"`
	End       uint64 `json:"end"`
	Balance   int64  `json:"balance"` // always 0
	Oldest    string `json:"oldest,omitempty"`
}

// figures reads the account of every lane.
func (a *queueArgs) figures() ([]laneFigures, error) {
	names, err := a.queues()
	if err != nil {
		return nil, err
	}
	var all []laneFigures
	for _, bridge := range names {
		err := a.peek(bridge, func(lanes []queue.Peeked) error {
			for _, l := range lanes {
				all = append(all, figuresOf(bridge, l))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func figuresOf(bridge string, l queue.Peeked) laneFigures {
	s := l.Stats()
	f := laneFigures{
		Bridge: bridge, Lane: l.Name, Appended: s.Appended, Delivered: s.Delivered, Overflow: s.Overflow, Expired: s.Expired,
		Damage: s.Damage, Untold: l.Untold(), Dead: s.Dead, Backlog: s.Backlog, Next: uint64(l.Acked()), End: uint64(s.Durable),
	}
	f.Balance = int64(f.Appended) - int64(f.Delivered+f.Overflow+f.Expired+f.Damage+f.Dead+f.Backlog)
	if oldest := oldestOf(l); !oldest.IsZero() {
		f.Oldest = oldest.UTC().Format(time.RFC3339)
	}
	return f
}

// oldestOf returns when the first that waits was received.
func oldestOf(l queue.Peeked) time.Time {
	for r, err := range l.Messages() {
		if err == nil && l.Name != "dead" {
			return r.At
		}
		break
	}
	for d, err := range l.Letters() {
		if err == nil && l.Name == "dead" {
			return d.Buried
		}
		break
	}
	return time.Time{}
}

func listQueues(_ context.Context, a queueArgs, t terminal) error {
	all, err := a.figures()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LANE\tWAITING\tOLDEST\tAPPENDED\tDELIVERED\tLOST\tDEAD")
	for _, f := range all {
		fmt.Fprintf(w, "%s/%s\t%d\t%s\t%d\t%d\t%d\t%d\n", f.Bridge, f.Lane, f.Backlog, orDash(f.Oldest), f.Appended, f.Delivered,
			f.Overflow+f.Expired+f.Damage, f.Dead)
	}
	return w.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func statQueues(_ context.Context, a queueArgs, t terminal) error {
	all, err := a.figures()
	if err != nil {
		return err
	}
	for _, f := range all {
		if a.json {
			if err := json.NewEncoder(t.out).Encode(f); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(t.out, "%s/%s: appended %d = delivered %d + lost %d (overflow %d, age %d, damage %d; upstream not told of %d) + dead %d + waiting %d\n",
			f.Bridge, f.Lane, f.Appended, f.Delivered, f.Overflow+f.Expired+f.Damage, f.Overflow, f.Expired, f.Damage, f.Untold, f.Dead, f.Backlog)
	}
	return nil
}

// showQueue lists what waits, or every frame there is.
func showQueue(_ context.Context, a queueArgs, t terminal) error {
	return a.peekLane(func(l queue.Peeked) error {
		switch {
		case a.frames:
			return dumpFrames(l, t.out)
		case l.Name == "dead":
			return printLetters(a, l, t.out)
		}
		w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "SEQ\tRECEIVED\tTOPIC\tQOS\tRETAIN\tBYTES\tPAYLOAD")
		err := limited(a, l.Messages(), func(r queue.Record) error {
			_, err := fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%v\t%d\t%s\n", r.Seq, stampOf(r.At), printable(r.Message.Topic), r.Message.QoS,
				r.Message.Retain, len(r.Message.Payload), printable(string(r.Message.Payload)))
			return err
		}, func(r queue.Record) queue.Seq { return r.Seq })
		return joinFlush(err, w)
	})
}

func joinFlush(err error, w *tabwriter.Writer) error {
	if flushErr := w.Flush(); err == nil {
		err = flushErr
	}
	return err
}

// limited calls use for what comes at or behind -from, at most -n times.
func limited[T any](a queueArgs, all iter.Seq2[T, error], use func(T) error, seq func(T) queue.Seq) error {
	n := 0
	for v, err := range all {
		if err != nil {
			return err
		}
		if uint64(seq(v)) < a.from {
			continue
		}
		if err := use(v); err != nil {
			return err
		}
		if n++; n == a.n {
			break
		}
	}
	return nil
}

func showDead(_ context.Context, a queueArgs, t terminal) error {
	a.lane = "dead"
	return a.peekLane(func(l queue.Peeked) error { return printLetters(a, l, t.out) })
}

func printLetters(a queueArgs, l queue.Peeked, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NUMBER\tGIVEN UP\tLANE\tSEQ\tTOPIC\tBYTES\tWHY")
	err := limited(a, l.Letters(), func(d queue.Letter) error {
		_, err := fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%d\t%s\n", d.Number, stampOf(d.Buried), d.Lane, d.Seq, printable(d.Message.Topic),
			len(d.Message.Payload), printable(d.Why))
		return err
	}, func(d queue.Letter) queue.Seq { return d.Number })
	return joinFlush(err, w)
}

// exported is a message as export prints it.
type exported struct {
	Seq     uint64 `json:"seq"`
	Time    string `json:"ts"`
	Topic   string `json:"topic"`
	QoS     byte   `json:"qos"`
	Retain  bool   `json:"retain"`
	Payload string `json:"payload,omitempty"` // when it is text
	Base64  []byte `json:"payload_base64,omitempty"`
	Why     string `json:"why,omitempty"` // of a dead letter
	Lane    string `json:"lane,omitempty"`
}

func exportOf(r queue.Record) exported {
	e := exported{Seq: uint64(r.Seq), Time: r.At.UTC().Format(time.RFC3339Nano), Topic: r.Message.Topic, QoS: r.Message.QoS, Retain: r.Message.Retain}
	if utf8.Valid(r.Message.Payload) {
		e.Payload = string(r.Message.Payload)
	} else {
		e.Base64 = r.Message.Payload
	}
	return e
}

// exportQueue prints what waits as one object a line.
func exportQueue(_ context.Context, a queueArgs, t terminal) error {
	enc := json.NewEncoder(t.out)
	enc.SetEscapeHTML(false)
	return a.peekLane(func(l queue.Peeked) error {
		if l.Name == "dead" {
			return limited(a, l.Letters(), func(d queue.Letter) error {
				e := exportOf(d.Record)
				e.Why, e.Lane = d.Why, string(d.Lane)
				return enc.Encode(e)
			}, func(d queue.Letter) queue.Seq { return d.Number })
		}
		return limited(a, l.Messages(), func(r queue.Record) error { return enc.Encode(exportOf(r)) },
			func(r queue.Record) queue.Seq { return r.Seq })
	})
}

// dumpFrames prints every segment and frame as the format has them, settled ones
// too.
func dumpFrames(l queue.Peeked, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range l.Segments() {
		fmt.Fprintf(w, "%s\tbase %d\t%d bytes\tepoch %016x\tbegun %s\t%s\n", s.Name, s.Base, s.Bytes, s.Epoch, stampOf(time.UnixMilli(s.Begun)), damageOf(s.Err))
		for f := range l.Frames(s) {
			fmt.Fprintf(w, "  at %d\t%s\t%d bytes\tcursor %d\t%s\t%s\n", f.Offset, numbersOf(f), f.Bytes, f.Acked, stampOf(time.UnixMilli(f.Time)), damageOf(f.Err))
		}
	}
	return w.Flush()
}

func numbersOf(f durable.Frame) string {
	if f.First == 0 {
		return "not a frame"
	}
	return fmt.Sprintf("%d to %d", f.First, f.First+queue.Seq(f.Count)-1)
}

func damageOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func stampOf(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// printable shortens and quotes what a terminal should not get as it is.
func printable(s string) string {
	const most = 60
	cut := s
	if len(cut) > most {
		cut = strings.ToValidUTF8(cut[:most], "") + "…"
	}
	if q := fmt.Sprintf("%q", cut); q != `"`+cut+`"` && strings.ContainsFunc(cut, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
		return q
	}
	return cut
}
