//go:build e2e

package e2e

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"sluice/drivers/modbus"
)

// conversation is with a slave that has just been started.
type conversation struct {
	t      *testing.T
	client *modbus.Client
}

// ask performs an exchange that must succeed.
func (c conversation) ask(req modbus.Request) []byte {
	c.t.Helper()
	data, err := c.try(req)
	if err != nil {
		c.t.Errorf("%v of %d at %d: %v", req.Function, req.Count, req.Address, err)
	}
	return data
}

func (c conversation) try(req modbus.Request) ([]byte, error) {
	req.Unit = foreignUnit
	return c.client.Do(req, modbus.Timing{Timeout: 2 * time.Second})
}

// want performs one of which the reply is known.
func (c conversation) want(req modbus.Request, want []byte) {
	c.t.Helper()
	if got := c.ask(req); !bytes.Equal(got, want) {
		c.t.Errorf("%v of %d at %d: got % x, want % x", req.Function, req.Count, req.Address, got, want)
	}
}

// tables reads from each table one, some and the most there may be, and writes
// one and several to those that can be written.
func (c conversation) tables() {
	coil, discrete := func(n int) bool { return n%3 == 0 }, func(n int) bool { return n%2 == 1 }
	for _, span := range [][2]int{{0, 1}, {7, 1}, {5, 19}, {0, bits}, {1, bits - 1}} {
		from, n := uint16(span[0]), uint16(span[1])
		c.want(modbus.Request{Function: modbus.ReadCoils, Address: from, Count: n}, packed(span[0], span[1], coil))
		c.want(modbus.Request{Function: modbus.ReadDiscreteInputs, Address: from, Count: n}, packed(span[0], span[1], discrete))
	}
	for _, span := range [][2]int{{0, 1}, {199, 1}, {5, 19}, {0, 125}, {75, 125}} {
		from, n := uint16(span[0]), uint16(span[1])
		c.want(modbus.Request{Function: modbus.ReadInputRegisters, Address: from, Count: n}, words(inputBase+span[0], span[1]))
		c.want(modbus.Request{Function: modbus.ReadHoldingRegisters, Address: from, Count: n}, words(holdingBase+span[0], span[1]))
	}
	on := func(int) bool { return true }
	c.ask(modbus.Request{Function: modbus.WriteSingleCoil, Address: 1, Data: []byte{0xFF, 0}})
	c.ask(modbus.Request{Function: modbus.WriteMultipleCoils, Address: 40, Count: 1000, Data: packed(0, 1000, on)})
	c.want(modbus.Request{Function: modbus.ReadCoils, Address: 0, Count: 3}, []byte{0b011})
	c.want(modbus.Request{Function: modbus.ReadCoils, Address: 40, Count: 1000}, packed(0, 1000, on))
	c.ask(modbus.Request{Function: modbus.WriteSingleRegister, Address: 1, Data: words(7, 1)})
	c.ask(modbus.Request{Function: modbus.WriteMultipleRegisters, Address: 40, Count: 123, Data: words(5000, 123)})
	c.want(modbus.Request{Function: modbus.ReadHoldingRegisters, Address: 1, Count: 1}, words(7, 1))
	c.want(modbus.Request{Function: modbus.ReadHoldingRegisters, Address: 40, Count: 123}, words(5000, 123))
}

// packed are n coils from one on.
func packed(from, n int, on func(int) bool) []byte {
	data := make([]byte, (n+7)/8)
	for i := range n {
		if on(from + i) {
			data[i/8] |= 1 << (i % 8)
		}
	}
	return data
}

// words are n registers that count up.
func words(first, n int) []byte {
	var data []byte
	for i := range n {
		data = binary.BigEndian.AppendUint16(data, uint16(first+i))
	}
	return data
}

// function performs one beyond the tables.
func (c conversation) function(f modbus.Function) {
	switch f {
	case modbus.Diagnostics:
		c.want(modbus.Request{Function: f, Data: []byte{0xA5, 0x37}}, []byte{0xA5, 0x37})
	case modbus.MaskWriteRegister: // (2010 AND f0f0) OR (0005 AND NOT f0f0)
		c.ask(modbus.Request{Function: f, Address: 10, Data: []byte{0xF0, 0xF0, 0x00, 0x05}})
		c.want(modbus.Request{Function: modbus.ReadHoldingRegisters, Address: 10, Count: 1}, words(2010&0xF0F0|5, 1))
	case modbus.ReadWriteMultipleRegisters:
		req := modbus.Request{Function: f, Address: 20, Count: 2, Data: append([]byte{0, 21}, words(9, 1)...)}
		c.want(req, []byte{2020 >> 8, 2020 & 0xFF, 0, 9})
	case modbus.ReportServerID:
		if id := c.ask(modbus.Request{Function: f}); len(id) < 2 {
			c.t.Errorf("%v: % x", f, id)
		}
	case modbus.EncapsulatedInterface:
		id, err := modbus.ParseIdentification(c.ask(modbus.IdentificationRequest(foreignUnit, modbus.BasicIdentification, 0)))
		vendor := slices.IndexFunc(id.Objects, func(o modbus.Object) bool { return o.ID == 0 && string(o.Value) == "Foreign" })
		if err != nil || vendor < 0 {
			c.t.Errorf("%v: %+v, error %v", f, id, err)
		}
	case modbus.WriteFileRecord:
		c.ask(modbus.Request{Function: f, Data: []byte{6, 0, 4, 0, 7, 0, 1, 0x12, 0x34}})
	default:
		c.ask(modbus.Request{Function: f})
	}
}

// refusals asks for what no slave has.
func (c conversation) refusals() {
	c.t.Helper()
	for _, f := range []modbus.Function{modbus.ReadCoils, modbus.ReadDiscreteInputs, modbus.ReadHoldingRegisters, modbus.ReadInputRegisters} {
		if _, err := c.try(modbus.Request{Function: f, Address: 5000, Count: 1}); modbus.FaultOf(err) != modbus.Refused {
			c.t.Errorf("%v where there is nothing: %v", f, err)
		}
	}
}
