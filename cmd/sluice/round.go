package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
	"sluice/mapping/payload"
	"sluice/mapping/point"
)

// round reads the points of a device once.
type round struct {
	target
	client wire
	rows   map[string]row // by point
	failed error          // the first exchange without a usable answer
	gone   bool           // nothing else is asked of a unit that does not answer
	lacks  string         // why some points have no place on the device
}

// row is what was learnt about one point.
type row struct {
	point.Reading
	raw []byte
}

// read fills the rows, by the requests that the gateway would send.
func (r *round) read(ctx context.Context) {
	r.place()
	for _, b := range r.device.Plan(r.there(), mapping.Terms{Line: r.bus.Line, Gap: r.bus.Gap}) {
		if ctx.Err() != nil {
			r.failed, r.gone = context.Cause(ctx), true
		}
		r.readBlock(b)
	}
}

// readBlock reads a block, in parts if the device refuses it as a whole.
func (r *round) readBlock(b mapping.Block) {
	if r.gone {
		r.lose(&b, r.failed)
		return
	}
	data, err := r.client.Do(b.Request, r.timing())
	if err == nil {
		r.take(&b, data, time.Now())
		return
	}
	e, _ := errors.AsType[*modbus.Error](err)
	if parts, ok := b.Split(); ok && e != nil && (e.Exception == 2 || e.Exception == 3) {
		r.readBlock(parts[0])
		r.readBlock(parts[1])
		return
	}
	if r.failed == nil {
		r.failed = err
	}
	fault := modbus.FaultOf(err)
	r.gone = fault == modbus.Silent || fault == modbus.Medium
	r.lose(&b, err)
}

// take notes what a block holds, and what can be computed from it. A counter that
// publishes differences is shown as it stands until there is one.
func (r *round) take(b *mapping.Block, data []byte, at time.Time) {
	plain, raw := b.AppendReadings(nil, r.device.ID, data, at), b.Raw(data)
	for i, got := range r.decoder.Append(nil, b, data, at) {
		w := row{Reading: got}
		if i < len(plain) {
			w.raw = raw[i]
			if got.Quality == point.Bad && plain[i].Quality == point.Good {
				w.Reading, w.Reason = plain[i], "counts from here"
			}
		}
		r.rows[got.Point] = w
	}
}

// lose notes why a block could not be read.
func (r *round) lose(b *mapping.Block, err error) {
	r.bad(b.AppendBad(nil, r.device.ID, modbus.Reason(err), time.Now())...)
}

// bad notes points without a value, and those computed from them.
func (r *round) bad(readings ...point.Reading) {
	for _, got := range r.decoder.Derive(readings, readings) {
		r.rows[got.Point] = row{Reading: got}
	}
}

func (r *round) good() int {
	n := 0
	for _, w := range r.rows {
		if w.Quality == point.Good {
			n++
		}
	}
	return n
}

// verdict is nil if every value is good.
func (r *round) verdict() error {
	good := r.good()
	switch {
	case r.failed != nil && good == 0:
		return explainExchange(r.failed)
	case r.failed != nil:
		if h, ok := errors.AsType[hinted](explainExchange(r.failed)); ok {
			return hint(fmt.Errorf("%d of %d values could not be read: %w", len(r.rows)-good, len(r.rows), r.failed), "%s", h.hint)
		}
		return r.failed
	case r.lacks != "" && good == 0:
		return lacking(r.lacks)
	case r.lacks != "":
		return hint(fmt.Errorf("%d of %d values are not there: %s", len(r.rows)-good, len(r.rows), r.lacks), "the rest is as the gateway reads it")
	case good < len(r.rows):
		return hint(fmt.Errorf("%d of %d values mean nothing", len(r.rows)-good, len(r.rows)), "check type and order; many devices send NaN for what they do not measure")
	}
	return nil
}

// printTable writes one line for each point, in the order of the site file.
func (r *round) printTable(t terminal) {
	fmt.Fprintln(t.out, r.target)
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	if r.device.ID == "" {
		fmt.Fprintln(w, "register\traw\tvalue\tquality")
	} else {
		fmt.Fprintln(w, "point\tregister\traw\tvalue\tunit\tquality")
	}
	for p := range r.device.Every() {
		got := r.rows[p.ID]
		if r.device.ID != "" {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, registerText(p), rawText(p, got.raw), valueText(got.Value), p.Unit, quality(got.Reading))
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Register, rawText(p, got.raw), valueText(got.Value), quality(got.Reading))
	}
}

// printJSON writes one object for each point: what the gateway would publish,
// and where it comes from.
func (r *round) printJSON(t terminal) {
	for p := range r.device.Every() {
		got := r.rows[p.ID]
		head := struct {
			Device   string `json:"device,omitempty"`
			Point    string `json:"point,omitempty"`
			Register string `json:"register"`
			Raw      string `json:"raw"`
		}{r.device.ID, p.ID, registerText(p), rawText(p, got.raw)}
		if r.device.ID == "" {
			head.Point = ""
		}
		text, _ := json.Marshal(head) // strings and a number
		body := payload.AppendJSON(nil, got.Reading)
		fmt.Fprintf(t.out, "%s,%s\n", text[:len(text)-1], body[1:])
	}
}

func quality(r point.Reading) string {
	if r.Reason == "" {
		return r.Quality.String()
	}
	return r.Quality.String() + ": " + r.Reason
}

// registerText is where a point lies, or that it lies nowhere.
func registerText(p *mapping.Point) string {
	if p.Formula != nil {
		return "computed"
	}
	return p.Register.String()
}

// rawText is the registers in hexadecimal, or a bit.
func rawText(p *mapping.Point, raw []byte) string {
	switch {
	case raw == nil:
		return "–"
	case p.Register.Table.Bits():
		return fmt.Sprint(raw[0])
	}
	return hexWords(raw)
}
