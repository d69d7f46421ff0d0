package main

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim/device"
)

// childName is the argument by which this program runs as the process of one
// stack.
const childName = "child"

// job is what such a process does: read holding registers of one unit after the
// other, Exchanges times or until Span has passed.
type job struct {
	Stack            string
	Path             string
	Line             modbus.Line
	Units, Registers int
	Timeout          time.Duration
	Exchanges        int
	Span             time.Duration
}

// outcome is what it prints.
type outcome struct {
	Good, Failed, Wrong int     // reads: right values, an error, values of something else
	Seconds             float64 // that all of them took
	Typical             float64 // seconds that half of them took at most
	CPU                 float64 // seconds of processor time, spent on all of them
	Allocs              float64 // on the heap; 0 for C
	Lag                 float64 // seconds by which this process wakes late; 0: not known
}

// exchanges is how many reads there were.
func (o outcome) exchanges() float64 { return float64(o.Good + o.Failed + o.Wrong) }

// stack is a Modbus client. The data is as on the wire.
type stack interface {
	read(unit modbus.UnitID, address, count uint16) ([]byte, error)
}

// child does a job and prints its outcome.
func child(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	s, err := dial(j)
	if err != nil {
		return err
	}
	s.read(1, 0, uint16(j.Registers)) // opens the port and grows the stacks
	o := j.perform(s)
	if sleeper, ok := s.(interface{ lag() time.Duration }); ok {
		o.Lag = sleeper.lag().Seconds()
	}
	return json.NewEncoder(os.Stdout).Encode(o)
}

// perform reads and checks every value, under the eyes of the kernel and of the
// runtime.
func (j job) perform(s stack) (o outcome) {
	var before, after runtime.MemStats
	took := make([]time.Duration, 0, max(j.Exchanges, 1000))
	runtime.ReadMemStats(&before)
	cpu, start := processorTime(), time.Now()
	for i, last := 0, start; i < j.Exchanges || j.Exchanges == 0 && last.Sub(start) < j.Span; i++ {
		unit, address := modbus.UnitID(1+i%j.Units), uint16(i/j.Units%50*200)
		data, err := s.read(unit, address, uint16(j.Registers))
		switch {
		case err != nil:
			o.Failed++
		case !right(data, unit, address, j.Registers):
			o.Wrong++
		default:
			o.Good++
		}
		now := time.Now()
		took, last = append(took, now.Sub(last)), now
	}
	o.Seconds, o.CPU = time.Since(start).Seconds(), (processorTime() - cpu).Seconds()
	runtime.ReadMemStats(&after)
	o.Allocs = float64(after.Mallocs - before.Mallocs)
	slices.Sort(took)
	o.Typical = took[len(took)/2].Seconds()
	return o
}

// right reports whether data is what the unit, a device.Pattern, holds from address
// on. testdata/libmodbus.c knows the pattern too.
func right(data []byte, unit modbus.UnitID, address uint16, registers int) bool {
	if len(data) != 2*registers {
		return false
	}
	for i := range registers {
		if binary.BigEndian.Uint16(data[2*i:]) != device.Pattern(unit).Value(address+uint16(i)) {
			return false
		}
	}
	return true
}

// processorTime is what this process has used, in user mode and in the kernel.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
