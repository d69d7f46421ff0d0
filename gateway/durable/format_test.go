package durable

import (
	"bytes"
	"errors"
	"testing"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"0000000000000001.seg":  true,
		"00000000000000ff.seg":  true,
		"00000000000000FF.seg":  false,
		"00000000000000ff.free": false,
		"1.seg":                 false,
		"+000000000000001.seg":  false,
		"cursor":                false,
	} {
		if _, ok := parseName(name, segmentSuffix); ok != want {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

var someAccount = account{
	revision: 77, acked: 9, lost: [3]uint64{1, 2, 1}, dead: 1, ahead: span{12, 14}, told: 3, gap: 4, gapSince: 1_700_000_000_001,
}

func testFrame() ([]byte, head) {
	body := appendRecord(appendRecord(nil, []byte("one")), nil)
	h := head{length: uint32(len(body)), count: 2, first: 7, time: 1_700_000_000_000, account: someAccount}
	frame := append(make([]byte, headSize), body...)
	frame = append(frame, make([]byte, h.size()-int64(len(frame)))...)
	sealFrame(frame, 99, h)
	return frame, h
}

// TestEveryBitCounts: no single flipped bit in a stamp or frame goes unnoticed.
func TestEveryBitCounts(t *testing.T) {
	frame, h := testFrame()
	if got, err := parseHead(frame, 99); err != nil || !checkBody(frame[headSize:headSize+got.length], 99, got) {
		t.Fatalf("whole frame: %+v, %v", got, err)
	}
	if _, err := parseHead(frame, 98); !errors.Is(err, errDamaged) {
		t.Errorf("frame of another epoch: %v", err)
	}
	for bit := range 8 * (headSize + h.length) {
		damaged := bytes.Clone(frame)
		damaged[bit/8] ^= 1 << (bit % 8)
		if got, err := parseHead(damaged, 99); err == nil && checkBody(damaged[headSize:headSize+h.length], 99, got) {
			t.Errorf("bit %d of a frame", bit)
		}
	}
	stamps := map[string][]byte{
		segmentMagic: header{size: 1 << 20, base: 3, epoch: 4, time: 9, account: account{acked: 1}}.encode(),
		cursorMagic:  slot{generation: 1, end: 2, account: someAccount}.encode(),
	}
	for magic, b := range stamps {
		if _, err := parseStamp(b, magic); err != nil {
			t.Fatalf("whole stamp: %v", err)
		}
		for bit := range 8 * len(b) {
			b[bit/8] ^= 1 << (bit % 8)
			if _, err := parseStamp(b, magic); !errors.Is(err, errDamaged) {
				t.Errorf("bit %d of a stamp: %v", bit, err)
			}
			b[bit/8] ^= 1 << (bit % 8)
		}
	}
}

// FuzzStamp: what parses is written again as it was.
func FuzzStamp(f *testing.F) {
	f.Add(header{size: 1 << 20, base: 3, epoch: 4, account: account{acked: 1}}.encode())
	f.Add(slot{generation: 1, end: 2, account: someAccount}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= stampSize { // or no input would get beyond the CRC
			b = b[:stampSize]
			sealStamp(b)
		}
		if h, err := parseHeader(b); err == nil && !bytes.Equal(h.encode(), b) {
			t.Errorf("header %x became %x", b, h.encode())
		}
		if c, err := parseSlot(b); err == nil {
			if again, err := parseSlot(c.encode()); err != nil || again != c {
				t.Errorf("slot %+v became %+v, %v", c, again, err)
			}
		}
	})
}

// FuzzFrame: no head or body makes the reader overstep or miscount.
func FuzzFrame(f *testing.F) {
	frame, _ := testFrame()
	f.Add(frame)
	f.Add(frame[:headSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := decodeHead(b)
		if !ok {
			return
		}
		if h.count == 0 || h.end() <= h.first || h.size() < headSize {
			t.Fatalf("impossible head %+v", h)
		}
		body := b[headSize:]
		h.bodyCRC = bodyCRC(body, 1)
		if !checkBody(body, 1, h) {
			return
		}
		for range h.count {
			rec, rest, ok := cutRecord(body)
			if !ok || len(rec)+len(rest) >= len(body) {
				t.Fatalf("record of %d bytes and %d more out of %d", len(rec), len(rest), len(body))
			}
			body = rest
		}
	})
}
