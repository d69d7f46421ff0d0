package transcript

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync"
	"time"

	"sluice/drivers/modbus"
)

// TraceConfig says what is traced, and where to.
type TraceConfig struct {
	Bus     string // for logs
	Framing modbus.Framing
	Line    modbus.Line // zero while it is not known; not used with modbus.TCP
	Path    string
	Limit   int64 // bytes of a file, give or take 4 KiB; see OpenTrace
}

// maxWaiting bounds the entries that wait for the disk.
const maxWaiting = 4096

// Trace is a transcript of what passes a port of our own. Sent, Received and
// Event cost the bus no more than a copy; Run writes. What the disk is too slow for
// is dropped, and counted by an event.
type Trace struct {
	cfg     TraceConfig
	log     *slog.Logger
	file    *file
	waiting chan stamped

	mu    sync.Mutex // guards the rest
	line  modbus.Line
	end   time.Time // of the last entry
	got   []byte    // received, and not yet a whole frame
	from  time.Time // when the first of it began
	until time.Time // when the last of it was there
	lost  int       // entries
}

// stamped is an entry with the time of its start.
type stamped struct {
	Entry
	at time.Time
}

// OpenTrace begins a file. When it has grown to its limit, and when a transcript is
// there already, that one is renamed to end in .1 instead of an older of that name:
// there are never more than two. Any other file that is in the way is an error.
func OpenTrace(cfg TraceConfig, log *slog.Logger) (*Trace, error) {
	return newTrace(cfg, log, func(h Header) (*file, error) { return createFile(cfg.Path, h) })
}

// NewTrace begins a trace that is written to w for as long as that works, whatever
// its length. Path and Limit are not used. It closes w.
func NewTrace(cfg TraceConfig, w io.WriteCloser, log *slog.Logger) (*Trace, error) {
	cfg.Limit = math.MaxInt64
	return newTrace(cfg, log, func(h Header) (*file, error) { return begin(w, h) })
}

func newTrace(cfg TraceConfig, log *slog.Logger, create func(Header) (*file, error)) (*Trace, error) {
	if cfg.Framing == modbus.TCP {
		cfg.Line = modbus.Line{}
	}
	now := time.Now()
	f, err := create(Header{cfg.Framing, cfg.Line, now})
	if err != nil {
		return nil, err
	}
	return &Trace{cfg: cfg, log: log, file: f, waiting: make(chan stamped, maxWaiting), line: cfg.Line, end: now}, nil
}

// String is "trace " and the bus.
func (t *Trace) String() string { return "trace " + t.cfg.Bus }

// Sent notes a request, which leaves from now on.
func (t *Trace) Sent(b []byte, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveUp()
	t.add(Request, bytes.Clone(b), "", now, now.Add(t.chars(len(b))))
}

// Received notes bytes that have just been delivered, and so were on the wire
// before, the last of them at now at the latest.
func (t *Trace) Received(b []byte, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	start := now.Add(-t.chars(len(b)))
	if len(t.got) > 0 && start.Sub(t.until) > t.hole() || len(t.got)+len(b) > maxBytes {
		t.giveUp()
	}
	if len(t.got) == 0 {
		t.from = start
	}
	t.got, t.until = append(t.got, b[:min(len(b), maxBytes)]...), now
	for n := frameAt(t.cfg.Framing, t.got); n > 0; n = frameAt(t.cfg.Framing, t.got) {
		t.add(Reply, bytes.Clone(t.got[:n]), "", t.from, now)
		t.got, t.from = t.got[n:], now
	}
}

// Event notes what happened to the port.
func (t *Trace) Event(note string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveUp()
	t.add(Event, nil, note, now, now)
}

// Switch notes that the port now has another line than the trace began with.
func (t *Trace) Switch(l modbus.Line, now time.Time) {
	t.Event("at "+l.String(), now)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line = l
}

// giveUp takes what was received for no frame.
func (t *Trace) giveUp() {
	if len(t.got) > 0 {
		t.add(Noise, t.got, "", t.from, t.until)
		t.got = nil
	}
}

// add hands an entry to Run.
func (t *Trace) add(k Kind, b []byte, note string, start, end time.Time) {
	e := stamped{Entry{Gap: max(0, start.Sub(t.end)), Kind: k, Bytes: b, Note: note}, start}
	if t.lost > 0 {
		e.Note = fmt.Sprintf("%d entries before this one were lost: the disk is too slow %s", t.lost, note)
	}
	select {
	case t.waiting <- e:
		t.lost = 0
	default:
		t.lost++
	}
	t.end = end
}

// chars is the time that n characters take, none on the network.
func (t *Trace) chars(n int) time.Duration {
	if t.line.Baud == 0 {
		return 0
	}
	return t.line.Chars(n)
}

// hole is a silence that no frame has inside, however it is delivered.
func (t *Trace) hole() time.Duration {
	switch {
	case t.cfg.Framing == modbus.RTU && t.line.Baud > 0:
		return max(40*time.Millisecond, t.line.Chars(12))
	default:
		return time.Second
	}
}

// frameAt is the length of the whole frame at the start of b, 0 for none. One of
// RTU has no end of its own but the checksum.
func frameAt(f modbus.Framing, b []byte) int {
	size := len(b)
	switch f {
	case modbus.ASCII:
		size = bytes.IndexByte(b, '\n') + 1
		if _, err := modbus.DecodeASCII(b[:size]); err != nil {
			return 0
		}
	case modbus.TCP:
		if size < 6 {
			return 0
		}
		size = 6 + int(binary.BigEndian.Uint16(b[4:]))
		if size > len(b) || size < 8 {
			return 0
		}
	default:
		if !modbus.ValidCRC(b) {
			return 0
		}
	}
	return size
}

// Run writes until ctx is cancelled, and then what is left. A disk that fails ends
// the trace, and nothing else.
func (t *Trace) Run(ctx context.Context) error {
	broken := false
	for ctx.Err() == nil {
		select {
		case e := <-t.waiting:
			broken = broken || t.failed(t.write(e))
		case <-ctx.Done():
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveUp()
	for !broken && len(t.waiting) > 0 {
		broken = t.failed(t.write(<-t.waiting))
	}
	return nil
}

// Close closes the file of a trace that does not run.
func (t *Trace) Close() error { return t.file.f.Close() }

// write writes an entry and those behind it, and makes room when the file is full.
func (t *Trace) write(e stamped) error {
	if t.file.size >= t.cfg.Limit {
		next, err := createFile(t.cfg.Path, Header{t.cfg.Framing, t.cfg.Line, e.at})
		if err != nil {
			return err
		}
		if err := errors.Join(t.file.flush(), t.file.f.Close()); err != nil {
			return errors.Join(err, next.f.Close())
		}
		t.file, e.Gap = next, 0
	}
	if err := t.file.Write(e.Entry); err != nil || len(t.waiting) > 0 {
		return err
	}
	return t.file.flush()
}

// failed reports whether there is an error, and logs it.
func (t *Trace) failed(err error) bool {
	if err != nil {
		t.log.Warn("trace ends", "bus", t.cfg.Bus, "file", t.cfg.Path, "error", err)
	}
	return err != nil
}
