// Package device is what a simulated unit holds and how it answers: the four
// Modbus tables behind a small interface, the server side of the application
// protocol, and three ready devices whose values move with the time they are
// asked. drivers/sim puts them on a wire; the package knows nothing of frames,
// baud rates or ports.
package device

import (
	"fmt"
	"time"
)

// Table is one of the four address spaces of a unit.
type Table uint8

// The tables. They index a Memory.
const (
	Coil Table = iota
	Discrete
	Input
	Holding
)

// Device is the contents of one unit. Both calls concern len(words) neighbours
// of a table, at least one, none beyond address 65535; a coil or a discrete is
// 0 or 1. A device that refuses returns an Exception and changes nothing; any
// other error reaches the master as DeviceFailure. Calls come one at a time.
type Device interface {
	// Read fills words with what the table holds at that time.
	Read(at time.Time, t Table, address uint16, words []uint16) error
	// Write stores words in Coil or Holding.
	Write(at time.Time, t Table, address uint16, words []uint16) error
}

// Identity is what a device says about itself in functions 17 and 43/14. Each
// field is ASCII, 60 bytes at most.
type Identity struct {
	Vendor, Product, Revision string
}

// Identifier is a Device that can say what it is; others refuse functions 17
// and 43.
type Identifier interface {
	Identity() Identity
}

// Exception is a refusal (Modbus Application Protocol V1.1b3, section 7).
type Exception byte

// The exceptions that devices answer with.
const (
	IllegalFunction Exception = 1
	IllegalAddress  Exception = 2
	IllegalValue    Exception = 3
	DeviceFailure   Exception = 4
	DeviceBusy      Exception = 6
)

// Error names the exception as masters report it.
func (e Exception) Error() string { return fmt.Sprintf("exception %d", byte(e)) }

// Memory is a Device of plain cells, as long as its slices and writable without
// limits; a table it lacks is refused as an unsupported function.
type Memory [4][]uint16

// Read returns the cells.
func (m *Memory) Read(_ time.Time, t Table, address uint16, words []uint16) error {
	cells, err := m.cells(t, address, len(words))
	copy(words, cells)
	return err
}

// Write replaces the cells.
func (m *Memory) Write(_ time.Time, t Table, address uint16, words []uint16) error {
	cells, err := m.cells(t, address, len(words))
	copy(cells, words)
	return err
}

func (m *Memory) cells(t Table, address uint16, n int) ([]uint16, error) {
	switch from, to := int(address), int(address)+n; {
	case len(m[t]) == 0:
		return nil, IllegalFunction
	case to > len(m[t]):
		return nil, IllegalAddress
	default:
		return m[t][from:to], nil
	}
}
