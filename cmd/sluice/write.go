package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
	"sluice/mapping/point"
)

// The most that one request writes (Modbus Application Protocol V1.1b3, 6.11 and
// 6.12).
const (
	maxCoilsWritten     = 1968
	maxRegistersWritten = 123
)

func runWrite(ctx context.Context, args []string, t terminal) error {
	return writeAsking(ctx, args, t, os.Stdin)
}

// writeAsking asks before it writes, and reads the answer from in.
func writeAsking(ctx context.Context, args []string, t terminal, in io.Reader) error {
	f := newTargetFlags("write")
	f.addSite()
	yes := f.Bool("yes", false, "")
	path := f.String("trace", "", "")
	words, err := parseMixed(f.FlagSet, shieldNumbers(args))
	if err != nil {
		return helpOn(err, "write", t)
	}
	g, values, err := f.toWrite(words, t)
	if err != nil {
		return err
	}
	c, err := newChange(g, values)
	if err != nil {
		return err
	}
	trace, err := startTrace(g.bus, *path, t)
	if err != nil {
		return err
	}
	defer trace.end()
	c.client, err = f.reach.to(ctx, g.bus, trace.tracer(), t)
	if err != nil {
		return err
	}
	defer c.client.Close()
	if err := c.place(); err != nil {
		return err
	}
	if err := c.prepare(); err != nil {
		return err
	}
	c.show(t)
	if !*yes {
		if err := confirm(ctx, t, in, fmt.Sprintf("write this with function %d (%v)?", c.request().Function, c.request().Function)); err != nil {
			return err
		}
	}
	return c.carryOut(t)
}

// shieldNumbers puts a blank before negative numbers, which package flag would
// take for flags.
func shieldNumbers(args []string) []string {
	shielded := make([]string, len(args))
	for i, a := range args {
		if len(a) > 1 && a[0] == '-' && strings.IndexByte("0123456789.", a[1]) >= 0 {
			a = " " + a
		}
		shielded[i] = a
	}
	return shielded
}

// toWrite is the target that the words of the command line name, and the values
// behind it.
func (f *targetFlags) toWrite(words []string, t terminal) (g target, values []string, err error) {
	if len(words) == 0 {
		return g, nil, usage("write what?", "sluice write /dev/ttyUSB0 \"holding 0x0001\" 1500, or sluice write -c site.yaml DEVICE POINT VALUE")
	}
	if err := f.check(words[0]); err != nil {
		return g, nil, err
	}
	if strings.Contains(words[0], "/") {
		register, values, err := cutRegister(words[1:])
		if err != nil || len(values) == 0 {
			return g, nil, usage("name a register and a value behind the port", "sluice write "+words[0]+" \"holding 0x0001\" 1500")
		}
		g, err = f.onPort(words[0], register, len(values))
		return g, values, err
	}
	if len(words) != 3 {
		return g, nil, usage("write takes a device, a point and a value", "sluice write -c site.yaml DEVICE POINT VALUE")
	}
	g, err = f.inSite(t, words[0], words[1])
	return g, words[2:], err
}

// change is a write of neighbouring points.
type change struct {
	target
	client   wire
	block    mapping.Block
	values   []point.Value
	old, new []byte // as a reply to the block's request would carry them; old is nil when it cannot be read
}

func newChange(g target, texts []string) (*change, error) {
	c := &change{target: g}
	if len(g.device.Derived) > 0 {
		return nil, usage("%s is computed and cannot be written", "write the points that it is computed from", g.device.Derived[0].ID)
	}
	table := g.device.Points[0].Register.Table
	if table != mapping.Coil && table != mapping.Holding {
		return nil, usage("a %s register cannot be written", "only coils and holding registers can", table)
	}
	for i, p := range g.device.Points {
		v, err := parseValue(texts[i], p)
		if err != nil {
			return nil, err
		}
		if w := p.Write; w != nil {
			if err := w.Check(v); err != nil {
				return nil, usage("%s: %w", "its write rules are in the site file", p.ID, err)
			}
		}
		c.values = append(c.values, v)
	}
	blocks := c.plan()
	c.block = blocks[0]
	if n := c.block.Request.Count; len(blocks) > 1 || table.Bits() && n > maxCoilsWritten || !table.Bits() && n > maxRegistersWritten {
		return nil, usage("too much for one request", fmt.Sprintf("it writes at most %d registers or %d coils", maxRegistersWritten, maxCoilsWritten))
	}
	return c, nil
}

func (c *change) plan() []mapping.Block {
	return c.device.Plan(c.device.All(), mapping.Terms{Line: c.bus.Line, Gap: c.bus.Gap})
}

// prepare reads what is there and puts the values over it.
func (c *change) prepare() error {
	old, err := c.client.Do(c.block.Request, c.timing())
	switch fault := modbus.FaultOf(err); {
	case err == nil:
		c.old = old
		c.new, err = c.over(old)
		return err
	case fault == modbus.Refused, fault == modbus.Unsupported: // some registers can only be written
		return c.blind(err)
	default:
		return explainExchange(err)
	}
}

// blind prepares a write of registers that cannot be read: possible if the
// values fill them.
func (c *change) blind(cause error) error {
	size := 2 * int(c.block.Request.Count)
	if c.device.Points[0].Register.Table.Bits() {
		size = (int(c.block.Request.Count) + 7) / 8
	}
	zeros, err := c.over(make([]byte, size))
	if err != nil {
		return err
	}
	ones, err := c.over(bytes.Repeat([]byte{0xFF}, size))
	if err != nil {
		return err
	}
	masked := c.ruled() && c.device.Points[0].Fills()
	if !c.device.Points[0].Register.Table.Bits() && !masked && !bytes.Equal(zeros, ones) {
		return hint(fmt.Errorf("the rest of the register cannot be read: %w", cause), "write the whole register instead of a part of it")
	}
	c.new = zeros
	return nil
}

// over returns data with the values in it.
func (c *change) over(data []byte) ([]byte, error) {
	data = bytes.Clone(data)
	for i, p := range c.device.Points {
		at := int(p.Register.Address - c.block.Request.Address)
		if p.Register.Table.Bits() {
			on, err := p.On(c.values[i])
			if err != nil {
				return nil, hint(fmt.Errorf("%s: %w", p.ID, err), "write one of the names in the site file")
			}
			data[at/8] &^= 1 << (at % 8)
			if on {
				data[at/8] |= 1 << (at % 8)
			}
			continue
		}
		if err := p.Layout.Encode(data[2*at:2*(at+p.Layout.Words())], c.values[i]); err != nil {
			return nil, hint(fmt.Errorf("%s: %w", p.ID, err), "check the value, and type and scale of the point")
		}
	}
	return data, nil
}

func (c *change) timing() modbus.Timing {
	return c.target.timing()
}

// request writes one coil or register with the function for one, more with that
// for several.
func (c *change) request() modbus.Request {
	if p := c.device.Points[0]; c.ruled() {
		req, err := p.WriteRequest(c.device.Unit, c.values[0], c.new)
		if err == nil { // it has been encoded before
			return req
		}
	}
	read := c.block.Request
	single := modbus.Request{Unit: read.Unit, Address: read.Address, Data: c.new}
	switch bits := c.device.Points[0].Register.Table.Bits(); {
	case bits && read.Count == 1:
		single.Function, single.Data = modbus.WriteSingleCoil, []byte{0, 0}
		if c.new[0]&1 != 0 {
			single.Data[0] = 0xFF
		}
		return single
	case !bits && read.Count == 1:
		single.Function = modbus.WriteSingleRegister
		return single
	}
	return c.multiple()
}

// ruled reports whether the site file names the function.
func (c *change) ruled() bool {
	w := c.device.Points[0].Write
	return len(c.device.Points) == 1 && w != nil && w.Function != 0
}

func (c *change) multiple() modbus.Request {
	req := c.block.Request
	req.Function, req.Data = modbus.WriteMultipleRegisters, c.new
	if c.device.Points[0].Register.Table.Bits() {
		req.Function = modbus.WriteMultipleCoils
		req.Data = bytes.Clone(c.new)
		if rest := req.Count % 8; rest > 0 {
			req.Data[len(req.Data)-1] &= 1<<rest - 1
		}
	}
	return req
}

// carryOut writes, reads back and says what the device made of it.
func (c *change) carryOut(t terminal) error {
	req := c.request()
	_, err := c.client.Do(req, c.timing())
	if several := c.multiple(); modbus.FaultOf(err) == modbus.Unsupported && !c.ruled() && req.Function != several.Function {
		fmt.Fprintf(t.err, "the device does not know function %d, so function %d is tried\n", req.Function, several.Function)
		_, err = c.client.Do(several, c.timing())
	}
	if err != nil {
		return explainWrite(err)
	}
	if c.old == nil {
		fmt.Fprintln(t.out, "written; it cannot be read back")
		return nil
	}
	data, err := c.client.Do(c.block.Request, c.timing())
	if err != nil {
		return hint(fmt.Errorf("written, but not read back: %w", err), "read it again")
	}
	c.report(t, "written; now it reads", data)
	got, want := c.block.Raw(data), c.block.Raw(c.new)
	for i, p := range c.device.Points {
		if !bytes.Equal(got[i], want[i]) {
			return hint(fmt.Errorf("%s does not hold what was written", p.ID), "the device may limit it, take a while, or want another register unlocked first")
		}
	}
	return nil
}

// explainWrite adds to the error of a write what to do about it. The device may
// have done it when only the reply was lost.
func explainWrite(err error) error {
	switch modbus.FaultOf(err) {
	case modbus.Silent, modbus.Frame:
		return hint(fmt.Errorf("it is not known whether it was written: %w", err), "read it again")
	}
	return explainExchange(err)
}

// show says what is about to happen.
func (c *change) show(t terminal) {
	if c.old == nil {
		c.report(t, "cannot be read; becomes", c.new)
		return
	}
	fmt.Fprintln(t.out, c.target)
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	old, now := c.describe(c.old), c.describe(c.new)
	for i, p := range c.device.Points {
		fmt.Fprintf(w, "%s\t%s\t->\t%s\n", p.ID, old[i], now[i])
	}
}

// report writes the values in data, a line each.
func (c *change) report(t terminal, what string, data []byte) {
	values := c.describe(data)
	for i, p := range c.device.Points {
		fmt.Fprintf(t.out, "%s: %s %s\n", p.ID, what, values[i])
	}
}

// describe writes the value of each point with its unit and registers.
func (c *change) describe(data []byte) []string {
	raw := c.block.Raw(data)
	texts := make([]string, len(raw))
	for i, r := range c.block.AppendReadings(nil, c.device.ID, data, time.Time{}) {
		value := valueText(r.Value)
		if r.Quality != point.Good {
			value = r.Reason
		}
		texts[i] = strings.TrimSpace(value+" "+r.Unit) + " (" + rawText(&c.device.Points[i], raw[i]) + ")"
	}
	return texts
}

// confirm asks a question that only y or yes answers.
func confirm(ctx context.Context, t terminal, in io.Reader, question string) error {
	fmt.Fprintf(t.out, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // a read of a terminal cannot be cancelled; the process ends with it
		line, _ := bufio.NewReader(in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(t.out)
		return context.Cause(ctx)
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
		return hint(errors.New("nothing was written"), "answer y, or give -yes to be asked nothing")
	}
}
