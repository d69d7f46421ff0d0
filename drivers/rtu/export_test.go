package rtu

// Scan feeds input in chunks to the search for the reply to the request adu. It
// returns the reply, or nil, and the most bytes that were held back for it.
func Scan(adu, input []byte, chunk int) (frame []byte, held int, err error) {
	want, err := shapeOf(adu)
	if err != nil {
		return nil, 0, err
	}
	var buf [512]byte
	r := reception{want: want, buf: buf[:0]}
	for len(input) > 0 {
		n := copy(r.buf[len(r.buf):cap(r.buf)], input[:min(chunk, len(input))])
		input = input[n:]
		r.buf = r.buf[:len(r.buf)+n]
		if frame, _ := r.scan(false); frame != nil {
			return frame, held, nil
		}
		held = max(held, len(r.buf))
	}
	frame, _ = r.scan(true)
	return frame, held, nil
}
