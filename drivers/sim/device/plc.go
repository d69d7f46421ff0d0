package device

import "time"

// Addresses of the PLC.
const (
	PLCPump = 0 // coil: the pump runs

	PLCLow      = 0 // discrete: level switch 100 mm below the setpoint is dry
	PLCHigh     = 1 // discrete: level switch 100 mm above the setpoint is wet
	PLCFeedback = 2 // discrete: the pump's contactor is closed
	PLCSupply   = 3 // discrete: control voltage present, always 1

	PLCLevel    = 0 // holding: mm, 0 to 3000
	PLCSetpoint = 1 // holding, writable: mm, 500 to 2500
	PLCCounter  = 2 // holding: uint32 in two registers, high word first; one more at every read of either

	PLCTemperature = 0 // input: of the pump's motor, int16, tenths of a degree Celsius
)

// PLC is the small controller of a tank that fills by itself and that a pump
// empties: on above the setpoint, off below it. It has eight coils and eight
// discrete inputs; the seven coils that are not the pump are free. Every read of
// its counter gives another value, which tells readings apart.
type PLC struct {
	coils   [8]uint16
	tank    tank
	counter uint32
}

// NewPLC returns a controller whose tank is at its setpoint at that time.
func NewPLC(start time.Time) *PLC {
	return &PLC{tank: tank{at: start, level: 1500, setpoint: 1500}}
}

// Identity names the controller.
func (*PLC) Identity() Identity { return Identity{"Sluice", "tank controller", "1.0"} }

// Read returns one of the four tables. Before the start nothing moves.
func (p *PLC) Read(at time.Time, t Table, address uint16, words []uint16) error {
	p.tank.advance(at)
	p.coils[PLCPump] = bit(p.tank.pump)
	switch t {
	case Coil:
		return view(p.coils[:], address, words)
	case Discrete:
		return view(p.discretes(), address, words)
	case Input:
		return view([]uint16{tenths(motorTemperature.At(at))}, address, words)
	default:
		return p.readHolding(address, words)
	}
}

// Write sets coils, or the setpoint alone.
func (p *PLC) Write(at time.Time, t Table, address uint16, words []uint16) error {
	p.tank.advance(at)
	if t == Coil {
		return p.setCoils(address, words)
	}
	switch {
	case address != PLCSetpoint || len(words) != 1:
		return IllegalAddress
	case words[0] < minSetpoint || words[0] > maxSetpoint:
		return IllegalValue
	}
	p.tank.setpoint = float64(words[0])
	return nil
}

func (p *PLC) setCoils(address uint16, words []uint16) error {
	if int(address)+len(words) > len(p.coils) {
		return IllegalAddress
	}
	copy(p.coils[address:], words)
	if address == PLCPump {
		p.tank.pump = words[0] != 0
	}
	return nil
}

func (p *PLC) discretes() []uint16 {
	inputs := make([]uint16, 8)
	inputs[PLCLow] = bit(p.tank.level < p.tank.setpoint-levelSwitch)
	inputs[PLCHigh] = bit(p.tank.level > p.tank.setpoint+levelSwitch)
	inputs[PLCFeedback] = bit(p.tank.pump)
	inputs[PLCSupply] = 1
	return inputs
}

func (p *PLC) readHolding(address uint16, words []uint16) error {
	end := int(address) + len(words)
	if end > PLCCounter+2 {
		return IllegalAddress
	}
	if end > PLCCounter {
		p.counter++
	}
	registers := []uint16{
		PLCLevel:       uint16(p.tank.level),
		PLCSetpoint:    uint16(p.tank.setpoint),
		PLCCounter:     uint16(p.counter >> 16),
		PLCCounter + 1: uint16(p.counter),
	}
	return view(registers, address, words)
}

// view copies neighbours of a table.
func view(table []uint16, address uint16, words []uint16) error {
	if int(address)+len(words) > len(table) {
		return IllegalAddress
	}
	copy(words, table[address:])
	return nil
}

func bit(b bool) uint16 {
	if b {
		return 1
	}
	return 0
}
