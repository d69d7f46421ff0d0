package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
	"sluice/mapping/payload"
	"sluice/mapping/point"
)

// maxCount bounds the values that one command reads.
const maxCount = 2000

func runRead(ctx context.Context, args []string, t terminal) error {
	f := newTargetFlags("read")
	count := f.Int("count", 1, "")
	asJSON := f.Bool("json", false, "")
	words, err := parseMixed(f.FlagSet, args)
	if err != nil {
		return helpOn(err, "read", t)
	}
	if *count < 1 || *count > maxCount {
		return usage("-count: %d is not possible", fmt.Sprintf("write 1 to %d", maxCount), *count)
	}
	g, err := f.toRead(words, *count, t)
	if err != nil {
		return err
	}
	port, err := dial(ctx, g.bus)
	if err != nil {
		return err
	}
	defer port.Close()
	r := newRound(g, modbus.NewClient(port))
	r.read(ctx)
	if *asJSON {
		r.printJSON(t)
	} else if r.good() > 0 {
		r.printTable(t)
	}
	return r.verdict()
}

// toRead is the target that the words of the command line name.
func (f *targetFlags) toRead(words []string, count int, t terminal) (target, error) {
	if len(words) == 0 {
		return target{}, usage("read what?", "sluice read /dev/ttyUSB0 \"input 0x0034\", or sluice read -c site.yaml DEVICE")
	}
	if err := f.check(words[0]); err != nil {
		return target{}, err
	}
	if strings.Contains(words[0], "/") {
		register, rest, err := cutRegister(words[1:])
		if err != nil || len(rest) > 0 {
			return target{}, usage("name one register behind the port", "sluice read "+words[0]+" \"input 0x0034\"; -count reads more")
		}
		return f.onPort(words[0], register, count)
	}
	if len(words) > 2 {
		return target{}, usage("read takes a device and at most one point, not %q", "run `sluice help read`", words[2])
	}
	return f.inSite(t, words[0], words[1:]...)
}

// cutRegister takes a register from the front of words, in quotes or without.
func cutRegister(words []string) (register string, rest []string, err error) {
	switch {
	case len(words) == 0:
		return "", nil, errors.New("no register")
	case len(words) > 1 && !strings.Contains(words[0], " "):
		return words[0] + " " + words[1], words[2:], nil
	default:
		return words[0], words[1:], nil
	}
}

// round reads the points of a device once.
type round struct {
	target
	client *modbus.Client
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

func newRound(g target, client *modbus.Client) *round {
	return &round{target: g, client: client, rows: map[string]row{}}
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
		r.note(&b, b.AppendBad(nil, r.device.ID, modbus.Reason(r.failed), time.Now()), nil)
		return
	}
	data, err := r.client.Do(b.Request, r.timing())
	if err == nil {
		r.note(&b, b.AppendReadings(nil, r.device.ID, data, time.Now()), b.Raw(data))
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
	r.note(&b, b.AppendBad(nil, r.device.ID, modbus.Reason(err), time.Now()), nil)
}

func (r *round) timing() modbus.Timing {
	return r.target.timing()
}

func (r *round) note(b *mapping.Block, readings []point.Reading, raw [][]byte) {
	for i, p := range b.Points() {
		w := row{Reading: readings[i]}
		if raw != nil {
			w.raw = raw[i]
		}
		r.rows[p.ID] = w
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
	for _, p := range r.device.Points {
		got := r.rows[p.ID]
		if r.device.ID != "" {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Register, rawText(p, got.raw), valueText(got.Value), p.Unit, quality(got.Reading))
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Register, rawText(p, got.raw), valueText(got.Value), quality(got.Reading))
	}
}

// printJSON writes one object for each point: what the gateway would publish,
// and where it comes from.
func (r *round) printJSON(t terminal) {
	for _, p := range r.device.Points {
		got := r.rows[p.ID]
		head := struct {
			Device   string `json:"device,omitempty"`
			Point    string `json:"point,omitempty"`
			Register string `json:"register"`
			Raw      string `json:"raw"`
		}{r.device.ID, p.ID, p.Register.String(), rawText(p, got.raw)}
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

// rawText is the registers in hexadecimal, or a bit.
func rawText(p mapping.Point, raw []byte) string {
	switch {
	case raw == nil:
		return "–"
	case p.Register.Table.Bits():
		return fmt.Sprint(raw[0])
	}
	return hexWords(raw)
}
