package wire

import (
	"bufio"
	"bytes"
	"io"
)

const (
	bufferBytes = 4 << 10 // packets up to here are checked where they were read to
	maxHeader   = 5
)

// Reader reads the packets of a client, of which it hands on the bytes of those
// that are well-formed. The first must be CONNECT, the others must not.
type Reader struct {
	r       *bufio.Reader
	limit   int
	version byte // 0 before CONNECT

	checked int          // bytes of r that may be handed on
	large   bytes.Reader // a packet too large for r that may be
}

// NewReader returns a Reader of packets of up to limit bytes.
func NewReader(src io.Reader, limit int) *Reader {
	return &Reader{r: bufio.NewReaderSize(src, bufferBytes), limit: limit}
}

// Read hands on what it can of one packet, once all of that is there and checked.
// After an error, which is a Fault if the client is to blame, nothing more must be
// read.
func (r *Reader) Read(p []byte) (int, error) {
	if r.checked == 0 && r.large.Len() == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	if r.large.Len() > 0 {
		return r.readLarge(p)
	}
	n, err := r.r.Read(p[:min(len(p), r.checked)])
	r.checked -= n
	return n, err
}

// readLarge gives the memory back at the end.
func (r *Reader) readLarge(p []byte) (int, error) {
	n, err := r.large.Read(p)
	if r.large.Len() == 0 {
		r.large.Reset(nil)
	}
	return n, err
}

// next waits for a packet and checks it.
func (r *Reader) next() error {
	total, err := r.size()
	if err != nil {
		return err
	}
	if total <= bufferBytes {
		packet, err := r.r.Peek(total)
		if err != nil {
			return err
		}
		r.checked = total
		return r.accept(packet)
	}
	packet := make([]byte, total)
	if _, err := io.ReadFull(r.r, packet); err != nil {
		return err
	}
	r.large.Reset(packet)
	return r.accept(packet)
}

// size waits for the head of a packet and returns the size of the whole.
func (r *Reader) size() (int, error) {
	first, err := r.r.Peek(1)
	if err != nil {
		return 0, err
	}
	if fault := checkFirst(first[0], r.version != 0); fault != nil {
		return 0, r.blame(fault)
	}
	for n := 2; n <= maxHeader; n++ {
		head, err := r.r.Peek(n)
		if err != nil {
			return 0, err
		}
		_, total, fault := length(head)
		switch {
		case fault != nil:
			return 0, r.blame(fault)
		case total > r.limit:
			return 0, r.blame(&Fault{Reason: TooLarge, Text: "the packet is too large"})
		case total > 0:
			return total, nil
		}
	}
	panic("unreachable: a header has five bytes at most")
}

func (r *Reader) accept(packet []byte) error {
	version, fault := check(packet, r.version)
	if fault != nil {
		return fault
	}
	r.version = version
	return nil
}

func (r *Reader) blame(f *Fault) error {
	f.Version = r.version
	return f
}
