package monitor

import "sluice/drivers/modbus"

// textAt is frameAt for ASCII: a colon begins a frame, a line feed ends it. Which
// side sent it is told as for the same frame in RTU.
func (d *Decoder) textAt(stopped bool) (Kind, int, []byte) {
	if d.buf[0].value != ':' {
		return Damaged, 0, nil
	}
	end := 0
	for i, r := range d.buf[1:] {
		if r.value == ':' {
			return Damaged, 0, nil
		}
		if r.value == '\n' {
			end = i + 2
			break
		}
	}
	switch {
	case end == 0 && !stopped && len(d.buf) < modbus.MaxASCII:
		return Damaged, -1, nil
	case end == 0:
		return Damaged, 0, nil
	}
	body, err := modbus.DecodeASCII(values(d.buf[:end]))
	if err != nil {
		return Damaged, 0, nil
	}
	frame := modbus.AppendCRC(body)
	kind, size := d.classify(frame)
	if size != len(frame) {
		kind = d.foreign(body, d.buf[0].start)
	}
	return kind, end, frame[:len(frame)-2]
}
