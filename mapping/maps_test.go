package mapping_test

import (
	"fmt"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
	"sluice/mapping/layout"
)

// sample is the register map of a real device, and what it refuses to read.
type sample struct {
	device  mapping.Device
	refuses func(req modbus.Request) bool
}

// values adds a point of so many registers at each address.
func (s *sample) values(table mapping.Table, words int, every time.Duration, addresses ...int) {
	typ := map[int]layout.Type{1: layout.Uint16, 2: layout.Float32, 4: layout.Uint64}[words]
	for _, a := range addresses {
		p := pointAt(fmt.Sprint("r", a), table, uint16(a), typ)
		p.Interval = every
		s.device.Points = append(s.device.Points, p)
	}
}

// pairs are the even addresses from first to last.
func pairs(first, last int) []int {
	var out []int
	for a := first; a <= last; a += 2 {
		out = append(out, a)
	}
	return out
}

// sdm630 is the list of values that meter daemons read from an Eastron SDM630:
// floats in input registers, 80 registers in one request.
func sdm630() sample {
	s := sample{refuses: func(req modbus.Request) bool { return req.Count > 80 }}
	s.device = mapping.Device{ID: "meter", Unit: 1, Limits: mapping.Limits{MaxRegisters: 80}}
	s.values(mapping.Input, 2, time.Second, pairs(0x00, 0x22)...)
	s.values(mapping.Input, 2, time.Second, 0x34, 0x38, 0x3C, 0x3E, 0x42, 0x46)
	s.values(mapping.Input, 2, time.Minute, pairs(0x48, 0x4E)...)
	s.values(mapping.Input, 2, time.Minute, pairs(0xEA, 0xEE)...)
	s.values(mapping.Input, 2, time.Minute, 0xF8)
	s.values(mapping.Input, 2, time.Minute, pairs(0x156, 0x17C)...)
	return s
}

// sunspec is a three-phase inverter with two strings: SunSpec models 103, 122
// and 160 with their scale factors.
func sunspec() sample {
	s := sample{refuses: func(modbus.Request) bool { return false }}
	s.device = mapping.Device{ID: "inverter", Unit: 1}
	const fast, slow = 2 * time.Second, time.Minute
	s.values(mapping.Holding, 1, fast, 40072, 40073, 40074, 40075, 40080, 40081, 40082, 40084, 40086, 40088, 40090, 40092, 40103, 40108, 40109)
	s.values(mapping.Holding, 1, slow, 40076, 40083, 40085, 40087, 40089, 40091, 40093, 40096, 40107)
	s.values(mapping.Holding, 2, fast, 40094)
	s.values(mapping.Holding, 1, slow, 40256, 40257, 40258, 40259)
	s.values(mapping.Holding, 1, fast, 40273, 40274, 40275, 40293, 40294, 40295)
	s.values(mapping.Holding, 2, fast, 40276, 40296)
	s.values(mapping.Holding, 4, slow, 40186)
	return s
}

// growatt is a storage inverter (TL-XH) whose requests must stay inside windows
// of 125 registers.
func growatt() sample {
	s := sample{refuses: func(req modbus.Request) bool {
		return int(req.Address)/125 != (int(req.Address)+int(req.Count)-1)/125
	}}
	s.device = mapping.Device{ID: "storage", Unit: 1}
	const fast, slow = time.Second, 30 * time.Second
	s.values(mapping.Input, 1, fast, 3000, 3003, 3004, 3007, 3008, 3025, 3026, 3027, 3171)
	s.values(mapping.Input, 2, fast, 3001, 3005, 3009, 3013, 3017, 3023, 3028, 3041, 3043, 3178, 3180)
	s.values(mapping.Input, 2, slow, 3049, 3051, 3053, 3069, 3127)
	s.values(mapping.Input, 1, slow, 3093, 3094)
	return s
}
