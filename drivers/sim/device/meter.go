package device

import (
	"encoding/binary"
	"math"
	"time"
)

// Addresses of the meter's input registers. Each value is a float32 in two
// registers, high word first; of three phases the address is that of L1, and L2
// and L3 follow.
const (
	MeterVoltage       = 0x0000 // V, three phases
	MeterCurrent       = 0x0006 // A, three phases
	MeterPower         = 0x000C // W, three phases
	MeterApparent      = 0x0012 // VA, three phases
	MeterReactive      = 0x0018 // var, three phases
	MeterFactor        = 0x001E // three phases
	MeterMeanVoltage   = 0x002A // V
	MeterMeanCurrent   = 0x002E // A
	MeterSumCurrent    = 0x0030 // A
	MeterTotalPower    = 0x0034 // W
	MeterTotalApparent = 0x0038 // VA
	MeterTotalReactive = 0x003C // var
	MeterTotalFactor   = 0x003E
	MeterFrequency     = 0x0046 // Hz
	MeterImport        = 0x0048 // kWh
	MeterTotalEnergy   = 0x0156 // kWh
)

// The meter answers these two ranges, with 0 where nothing is measured, and at
// most maxMeterRegisters at once.
const (
	meterEnd          = 0x0054
	meterTotalsBegin  = 0x0156
	meterTotalsEnd    = 0x015A
	maxMeterRegisters = 80
)

// Meter is a three-phase energy meter in the manner of an Eastron SDM630: the
// load of a small workshop on a 230 V supply.
type Meter struct {
	installed time.Time
}

// NewMeter returns a meter that has counted energy since it was installed.
func NewMeter(installed time.Time) *Meter { return &Meter{installed} }

// Identity names the meter.
func (*Meter) Identity() Identity { return Identity{"Sluice", "three-phase energy meter", "1.0"} }

// Write refuses: nothing can be set.
func (*Meter) Write(time.Time, Table, uint16, []uint16) error { return IllegalFunction }

// Read returns input registers as the supply and the load are at that time.
func (m *Meter) Read(at time.Time, t Table, address uint16, words []uint16) error {
	end := int(address) + len(words)
	switch {
	case t != Input:
		return IllegalFunction
	case len(words) > maxMeterRegisters:
		return IllegalValue
	case end > meterEnd && (address < meterTotalsBegin || end > meterTotalsEnd):
		return IllegalAddress
	}
	now := m.measure(at)
	for i := range words {
		a := address + uint16(i)
		var value [4]byte
		binary.BigEndian.PutUint32(value[:], math.Float32bits(float32(now[a&^1])))
		words[i] = binary.BigEndian.Uint16(value[2*(a&1):])
	}
	return nil
}

// measure returns every value by its address.
func (m *Meter) measure(at time.Time) map[uint16]float64 {
	v := map[uint16]float64{MeterFrequency: gridFrequency.At(at)}
	energy := 0.0
	for i, p := range meterPhases {
		volts, watts := p.voltage.At(at), p.power.At(at)
		va := watts / p.factor
		amps, vars := va/volts, math.Sqrt(va*va-watts*watts)
		phase := uint16(2 * i)
		v[MeterVoltage+phase], v[MeterCurrent+phase] = volts, amps
		v[MeterPower+phase], v[MeterApparent+phase] = watts, va
		v[MeterReactive+phase], v[MeterFactor+phase] = vars, p.factor
		v[MeterMeanVoltage] += volts / 3
		v[MeterMeanCurrent] += amps / 3
		v[MeterSumCurrent] += amps
		v[MeterTotalPower] += watts
		v[MeterTotalApparent] += va
		v[MeterTotalReactive] += vars
		energy += p.power.Integral(m.installed, at)
	}
	v[MeterTotalFactor] = v[MeterTotalPower] / v[MeterTotalApparent]
	v[MeterImport] = energy / 3.6e6
	v[MeterTotalEnergy] = v[MeterImport]
	return v
}
