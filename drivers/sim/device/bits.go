package device

// Functions 1, 2, 5 and 15 (Modbus Application Protocol V1.1b3, sections 6.1,
// 6.2, 6.5 and 6.11).

func (c call) readBits(t Table) ([]byte, error) {
	if len(c.request) != 5 || c.word(3) == 0 || c.word(3) > maxBits {
		return nil, IllegalValue
	}
	bits, err := c.read(t, c.word(1), c.word(3))
	if err != nil {
		return nil, err
	}
	size := (len(bits) + 7) / 8
	reply := make([]byte, 2+size)
	reply[0], reply[1] = c.request[0], byte(size)
	for i, bit := range bits {
		reply[2+i/8] |= byte(bit&1) << (i % 8)
	}
	return reply, nil
}

func (c call) writeCoil() ([]byte, error) {
	if len(c.request) != 5 || c.word(3) != 0 && c.word(3) != 0xFF00 {
		return nil, IllegalValue
	}
	return c.echo(5), c.write(Coil, c.word(1), c.word(3)>>15)
}

func (c call) writeCoils() ([]byte, error) {
	if len(c.request) < 6 {
		return nil, IllegalValue
	}
	n := c.word(3)
	if err := c.counted(n, maxBitsWritten, 5, (int(n)+7)/8); err != nil {
		return nil, err
	}
	bits := make([]uint16, n)
	for i := range bits {
		bits[i] = uint16(c.request[6+i/8] >> (i % 8) & 1)
	}
	return c.echo(5), c.write(Coil, c.word(1), bits...)
}

// echo is a reply that repeats the first n bytes of the request.
func (c call) echo(n int) []byte { return append([]byte(nil), c.request[:n]...) }
