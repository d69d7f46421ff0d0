package durable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
)

// The layouts of FORMAT.md. Everything here is pure.

const (
	page      = 4096
	stampSize = 140
	stampCore = 64 // of a stamp, alike in every version
	headSize  = 128
	version   = 2

	segmentMagic = "SLUICEQS"
	cursorMagic  = "SLUICEQC"
	frameMagic   = "SLQF"

	segmentSuffix = ".seg"
	freeSuffix    = ".free"
	cursorName    = "cursor"
	cursorBytes   = 2 * page
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged marks bytes that are not what was written; errBody a frame whose
// head can be trusted all the same.
var (
	errDamaged = errors.New("damaged")
	errBody    = fmt.Errorf("frame body %w", errDamaged)
)

// header begins a segment.
type header struct {
	size    int64
	base    Seq
	epoch   uint64
	time    millis // when it was begun
	account account
}

func (h header) encode() []byte {
	s := stamp{words: [3]uint64{uint64(h.size), uint64(h.base), h.epoch}, time: h.time, account: h.account}
	return s.encode(segmentMagic)
}

func parseHeader(b []byte) (header, error) {
	s, err := parseStamp(b, segmentMagic)
	if err != nil {
		return header{}, err
	}
	h := header{size: int64(s.words[0]), base: Seq(s.words[1]), epoch: s.words[2], time: s.time, account: s.account}
	if h.size < minSegmentBytes || h.size > maxSegmentBytes || h.size%page != 0 || h.base == 0 {
		return header{}, errDamaged
	}
	return h, nil
}

// framesEnd is where the second header begins.
func (h header) framesEnd() int64 { return h.size - page }

// slot is one half of the cursor file.
type slot struct {
	generation uint64
	end        Seq    // all records below were durable
	time       millis // when it was written
	account    account
}

func (s slot) encode() []byte {
	return stamp{words: [3]uint64{s.generation, uint64(s.end)}, time: s.time, account: s.account}.encode(cursorMagic)
}

func parseSlot(b []byte) (slot, error) {
	s, err := parseStamp(b, cursorMagic)
	if err != nil {
		return slot{}, err
	}
	return slot{generation: s.words[0], end: Seq(s.words[1]), time: s.time, account: s.account}, nil
}

// head begins a frame.
type head struct {
	bodyCRC uint32
	length  uint32 // of the body
	count   uint32
	first   Seq
	time    millis // when its first record was appended
	account account
}

func (h head) end() Seq    { return h.first + Seq(h.count) }
func (h head) size() int64 { return alignUp(headSize + int64(h.length)) }

// sealFrame fills in the head of a frame whose body is already in place.
func sealFrame(frame []byte, epoch uint64, h head) {
	copy(frame, frameMagic)
	binary.LittleEndian.PutUint32(frame[8:], bodyCRC(frame[headSize:headSize+h.length], epoch))
	binary.LittleEndian.PutUint32(frame[12:], h.length)
	binary.LittleEndian.PutUint32(frame[16:], h.count)
	binary.LittleEndian.PutUint32(frame[20:], 0)
	binary.LittleEndian.PutUint64(frame[24:], uint64(h.first))
	binary.LittleEndian.PutUint64(frame[32:], uint64(h.time))
	h.account.put(frame[40:])
	binary.LittleEndian.PutUint32(frame[4:], headCRC(frame, epoch))
}

func parseHead(b []byte, epoch uint64) (head, error) {
	h, ok := decodeHead(b)
	if !ok || binary.LittleEndian.Uint32(b[4:]) != headCRC(b, epoch) {
		return head{}, errDamaged
	}
	return h, nil
}

// decodeHead checks what a head says, but not its CRC.
func decodeHead(b []byte) (head, bool) {
	if len(b) < headSize || string(b[:4]) != frameMagic {
		return head{}, false
	}
	h := head{
		bodyCRC: binary.LittleEndian.Uint32(b[8:]),
		length:  binary.LittleEndian.Uint32(b[12:]),
		count:   binary.LittleEndian.Uint32(b[16:]),
		first:   Seq(binary.LittleEndian.Uint64(b[24:])),
		time:    millis(binary.LittleEndian.Uint64(b[32:])),
		account: parseAccount(b[40:]),
	}
	ok := h.count > 0 && h.count <= h.length && h.length <= maxSegmentBytes &&
		h.first > 0 && h.first < math.MaxUint64-Seq(h.count) && h.account.valid()
	return h, ok
}

// checkBody reports whether body is what h promises.
func checkBody(body []byte, epoch uint64, h head) bool {
	if bodyCRC(body, epoch) != h.bodyCRC {
		return false
	}
	for range h.count {
		var ok bool
		if _, body, ok = cutRecord(body); !ok {
			return false
		}
	}
	return len(body) == 0
}

func headCRC(b []byte, epoch uint64) uint32 { return seededCRC(b[8:headSize], epoch) }

func bodyCRC(body []byte, epoch uint64) uint32 { return seededCRC(body, epoch) }

func seededCRC(b []byte, epoch uint64) uint32 {
	var seed [8]byte
	binary.LittleEndian.PutUint64(seed[:], epoch)
	return crc32.Update(crc32.Checksum(seed[:], castagnoli), castagnoli, b)
}

func appendRecord(body, rec []byte) []byte {
	return append(binary.AppendUvarint(body, uint64(len(rec))), rec...)
}

// cutRecord takes the first record off a body.
func cutRecord(body []byte) (rec, rest []byte, ok bool) {
	n, k := binary.Uvarint(body)
	if k <= 0 || n > uint64(len(body)-k) {
		return nil, nil, false
	}
	return body[k : k+int(n)], body[k+int(n):], true
}

func alignUp(n int64) int64 { return (n + 7) &^ 7 }

func fileName(n uint64, suffix string) string { return fmt.Sprintf("%016x%s", n, suffix) }

func parseName(name, suffix string) (uint64, bool) {
	if len(name) != 16+len(suffix) {
		return 0, false
	}
	n, err := strconv.ParseUint(name[:16], 16, 64)
	return n, err == nil && fileName(n, suffix) == name
}
