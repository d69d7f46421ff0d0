package device

import "time"

// Pattern is a device of which every register, in all tables, holds another value
// than those before it and than those of other patterns: so that a value tells
// which register of which unit it was read from. It cannot be written.
type Pattern uint8

// Value is what the register at an address holds.
func (p Pattern) Value(address uint16) uint16 { return uint16(p)*257 ^ address*40503 }

// Read implements Device.
func (p Pattern) Read(_ time.Time, _ Table, address uint16, words []uint16) error {
	for i := range words {
		words[i] = p.Value(address + uint16(i))
	}
	return nil
}

// Write implements Device.
func (p Pattern) Write(time.Time, Table, uint16, []uint16) error { return IllegalFunction }
