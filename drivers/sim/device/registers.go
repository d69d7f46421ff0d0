package device

import "encoding/binary"

// Functions 3, 4, 6, 16, 22 and 23 (Modbus Application Protocol V1.1b3, sections
// 6.3, 6.4, 6.6, 6.12, 6.16 and 6.17).

func (c call) readRegisters(t Table) ([]byte, error) {
	if len(c.request) != 5 {
		return nil, IllegalValue
	}
	return c.registers(t, c.word(1), c.word(3))
}

// registers is the reply that carries n registers.
func (c call) registers(t Table, address, n uint16) ([]byte, error) {
	if n == 0 || n > maxRegisters {
		return nil, IllegalValue
	}
	words, err := c.read(t, address, n)
	if err != nil {
		return nil, err
	}
	reply := append(make([]byte, 0, 2+2*n), c.request[0], byte(2*n))
	for _, w := range words {
		reply = binary.BigEndian.AppendUint16(reply, w)
	}
	return reply, nil
}

func (c call) writeRegister() ([]byte, error) {
	if len(c.request) != 5 {
		return nil, IllegalValue
	}
	return c.echo(5), c.write(Holding, c.word(1), c.word(3))
}

func (c call) writeRegisters() ([]byte, error) {
	if len(c.request) < 6 {
		return nil, IllegalValue
	}
	n := c.word(3)
	if err := c.counted(n, maxRegistersWritten, 5, 2*int(n)); err != nil {
		return nil, err
	}
	return c.echo(5), c.write(Holding, c.word(1), c.words(6)...)
}

func (c call) maskRegister() ([]byte, error) {
	if len(c.request) != 7 {
		return nil, IllegalValue
	}
	old, err := c.read(Holding, c.word(1), 1)
	if err != nil {
		return nil, err
	}
	and, or := c.word(3), c.word(5)
	return c.echo(7), c.write(Holding, c.word(1), old[0]&and|or&^and)
}

// swapRegisters writes before it reads, as the specification wants.
func (c call) swapRegisters() ([]byte, error) {
	if len(c.request) < 10 || c.word(3) == 0 || c.word(3) > maxRegisters {
		return nil, IllegalValue
	}
	n := c.word(7)
	if err := c.counted(n, maxRegistersSwapped, 9, 2*int(n)); err != nil {
		return nil, err
	}
	if err := c.write(Holding, c.word(5), c.words(10)...); err != nil {
		return nil, err
	}
	return c.registers(Holding, c.word(1), c.word(3))
}

// words are the registers that the request carries from offset to its end.
func (c call) words(offset int) []uint16 {
	words := make([]uint16, (len(c.request)-offset)/2)
	for i := range words {
		words[i] = c.word(offset + 2*i)
	}
	return words
}
