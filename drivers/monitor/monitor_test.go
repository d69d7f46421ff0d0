package monitor_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/monitor"
)

var line = modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}

// adu appends the checksum to hexadecimal bytes.
func adu(tb testing.TB, text string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return modbus.AppendCRC(b)
}

// told is a frame as the tests write it: "> " before a request, "< " before a
// reply, "! " when the request before it was not answered.
func told(frames []monitor.Frame) []string {
	var all []string
	for _, f := range frames {
		s := map[monitor.Kind]string{monitor.Request: "> ", monitor.Reply: "< "}[f.Kind] + f.String()
		if f.Unanswered {
			s = "! " + s
		}
		all = append(all, s)
	}
	return all
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		name   string
		frames []string // without checksum; raw bytes behind "raw "
		want   []string
	}{
		{"registers", []string{"01 04 0034 0002", "01 04 04 4366 8000"}, []string{
			"> unit 1, read input registers: 0x0034, 2 of them",
			"< unit 1, read input registers: 0x0034 = 4366 (17254), 8000 (32768)"}},
		{"coils, in a reply as long as a request", []string{"01 01 0013 0013", "01 01 03 cd6b05"}, []string{
			"> unit 1, read coils: 0x0013, 19 of them",
			"< unit 1, read coils: 0x0013 = 1 0 1 1 0 0 1 1 1 1 0 1 0 1 1 0 1 0 1"}},
		{"a unit is silent", []string{"01 03 0300 0001", "01 03 0300 0001", "02 03 0000 0001", "02 03 02 ffff"}, []string{
			"> unit 1, read holding registers: 0x0300",
			"! > unit 1, read holding registers: 0x0300",
			"! > unit 2, read holding registers: 0x0000",
			"< unit 2, read holding registers: 0x0000 = ffff (65535)"}},
		{"exceptions", []string{"01 02 0000 0001", "01 82 02", "07 83 0b"}, []string{
			"> unit 1, read discrete inputs: 0x0000",
			"< unit 1, read discrete inputs: exception 2, illegal data address",
			"< unit 7, read holding registers: exception 11, gateway target device failed to respond (the request was not heard)"}},
		{"writes", []string{"01 06 0001 0640", "01 06 0001 0640", "01 05 0002 ff00", "01 05 0002 ff00",
			"01 10 0001 0002 04 000a 0102", "01 10 0001 0002", "01 0f 0013 000a 02 cd01", "01 0f 0013 000a",
			"01 16 0004 00f2 0025", "01 16 0004 00f2 0025", "00 06 0001 0003"}, []string{
			"> unit 1, write single register: 0x0001 = 0640 (1600)",
			"< unit 1, write single register: done, 0x0001 = 0640 (1600)",
			"> unit 1, write single coil: 0x0002 = ff00 (65280)",
			"< unit 1, write single coil: done, 0x0002 = ff00 (65280)",
			"> unit 1, write multiple registers: 0x0001 = 000a (10), 0102 (258)",
			"< unit 1, write multiple registers: done, 0x0001, 2 of them",
			"> unit 1, write multiple coils: 0x0013 = 1 0 1 1 0 0 1 1 1 0",
			"< unit 1, write multiple coils: done, 0x0013, 10 of them",
			"> unit 1, mask write register: 0x0004, and 00f2, or 0025",
			"< unit 1, mask write register: done",
			"> all units, write single register: 0x0001 = 0003 (3)"}},
		{"a second write is no reply", []string{"01 06 0001 0640", "01 06 0002 0640"}, []string{
			"> unit 1, write single register: 0x0001 = 0640 (1600)",
			"! > unit 1, write single register: 0x0002 = 0640 (1600)"}},
		{"rarer functions", []string{"01 08 0000 a537", "01 08 0000 a537", "01 08 0001 0000", "01 17 0003 0006 000e 0003 06 00ff 00ff 00ff",
			"01 17 0c 00fe 0acd 0001 0003 000d 00ff", "01 11", "01 11 05 11ff 534c 55", "01 2b 0e 01 00", "01 2b 0e 01 81 00 00 01 00 03 616263",
			"01 18 04de", "01 18 0006 0002 01b8 1284", "01 07", "01 07 6d"}, []string{
			"> unit 1, diagnostics: echo a537",
			"< unit 1, diagnostics: echo a537",
			"> unit 1, diagnostics: sub-function 1, 0000",
			"! > unit 1, read/write multiple registers: read 0x0003, 6 of them, write 0x000e = 00ff (255), 00ff (255), 00ff (255)",
			"< unit 1, read/write multiple registers: 0x0003 = 00fe (254), 0acd (2765), 0001 (1), 0003 (3), 000d (13), 00ff (255)",
			"> unit 1, report server ID: no data",
			"< unit 1, report server ID: 05 11 ff 53 4c 55",
			"> unit 1, encapsulated interface transport: 0e 01 00",
			"< unit 1, encapsulated interface transport: 0e 01 81 00 00 01 00 03 61 62 63",
			"> unit 1, read FIFO queue: 04 de",
			"< unit 1, read FIFO queue: 00 06 00 02 01 b8 12 84",
			"> unit 1, read exception status: no data",
			"< unit 1, read exception status: 6d"}},
		{"a function of its own", []string{"05 41 0102 03", "05 41 09", "01 03 0000 0001"}, []string{
			"> unit 5, function 65: 01 02 03",
			"< unit 5, function 65: 09",
			"> unit 1, read holding registers: 0x0000"}},
		{"noise", []string{"raw 00ff", "01 03 0000 0001", "raw 0103021234", "01 03 0000 0001", "01 03 02 1234"}, []string{
			"damaged: 2 bytes that are no frame with a good checksum",
			"> unit 1, read holding registers: 0x0000",
			"damaged: 5 bytes that are no frame with a good checksum",
			"! > unit 1, read holding registers: 0x0000",
			"< unit 1, read holding registers: 0x0000 = 1234 (4660)"}},
		{"a reply whose request was not heard", []string{"01 03 02 1234"}, []string{
			"< unit 1, read holding registers: 1234 (4660) (the request was not heard)"}},
	} {
		var wire []byte
		for _, f := range tt.frames {
			if raw, ok := strings.CutPrefix(f, "raw "); ok {
				b := adu(t, raw)
				wire = append(wire, b[:len(b)-2]...)
				continue
			}
			wire = append(wire, adu(t, f)...)
		}
		listen(t, tt.name, modbus.RTU, wire, tt.want)
	}
}

// listen hears what is on a line in lumps, whatever the adapter makes of it.
func listen(t *testing.T, name string, framing modbus.Framing, wire []byte, want []string) {
	t.Helper()
	for _, lump := range []int{1, 3, 8, 512} {
		d, at := monitor.New(line, framing), time.Unix(1700000000, 0)
		var got []monitor.Frame
		for b := range slices.Chunk(wire, lump) {
			at = at.Add(line.Chars(len(b)))
			got = append(got, d.Add(b, at)...)
		}
		got = append(got, d.Silence()...)
		if !slices.Equal(told(got), want) {
			t.Errorf("%s, in lumps of %d:\n%s\nwant\n%s", name, lump, strings.Join(told(got), "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestDecodeASCII(t *testing.T) {
	for _, tt := range []struct {
		name, wire string
		want       []string
	}{
		{"a read", ":1103006B00037E\r\n:110306000100020003E0\r\n", []string{
			"> unit 17, read holding registers: 0x006b, 3 of them",
			"< unit 17, read holding registers: 0x006b = 0001 (1), 0002 (2), 0003 (3)"}},
		{"a write looks like its reply", ":010600010640B2\r\n:010600010640B2\r\n:010600010640B2\r\n", []string{
			"> unit 1, write single register: 0x0001 = 0640 (1600)",
			"< unit 1, write single register: done, 0x0001 = 0640 (1600)",
			"> unit 1, write single register: 0x0001 = 0640 (1600)"}},
		{"a function of its own", ":0541010203B4\r\n:054109B1\r\n", []string{
			"> unit 5, function 65: 01 02 03",
			"< unit 5, function 65: 09"}},
		{"an exception", ":018302 7A\r\n:0183027A\r\n", []string{
			"damaged: 12 bytes that are no frame with a good checksum",
			"< unit 1, read holding registers: exception 2, illegal data address (the request was not heard)"}},
		{"noise and frames that were cut", "x:1103:1103006B00037E\r\n:11", []string{
			"damaged: 6 bytes that are no frame with a good checksum",
			"> unit 17, read holding registers: 0x006b, 3 of them",
			"damaged: 3 bytes that are no frame with a good checksum"}},
		{"RTU", string(adu(t, "01 03 0000 0001")), []string{"damaged: 8 bytes that are no frame with a good checksum"}},
	} {
		listen(t, tt.name, modbus.ASCII, []byte(tt.wire), tt.want)
	}
}

// TestGaps has a request and its reply after 20 ms, in lumps of eight.
func TestGaps(t *testing.T) {
	d, start := monitor.New(line, modbus.RTU), time.Unix(1700000000, 0)
	request, reply := adu(t, "01 03 0000 0004"), adu(t, "01 03 08 0001 0002 0003 0004")
	got := d.Add(request, start.Add(line.Chars(8)))
	begin := start.Add(line.Chars(8) + 20*time.Millisecond)
	got = append(got, d.Add(reply[:8], begin.Add(line.Chars(8)))...)
	got = append(got, d.Add(reply[8:], begin.Add(line.Chars(13)+3*time.Millisecond))...) // held back by the adapter
	if len(got) != 2 || !got[0].Start.Equal(start) || got[0].Gap != 0 || !got[1].Start.Equal(begin) || got[1].Gap != 20*time.Millisecond {
		t.Fatalf("%+v", got)
	}
	if !bytes.Equal(got[1].Asked, request[:6]) {
		t.Errorf("the reply answers %x", got[1].Asked)
	}
	// Two seconds later the same bytes are another master's request, or nobody's reply.
	d.Add(request, begin.Add(time.Second))
	late := d.Add(reply, begin.Add(3*time.Second))
	if len(late) != 1 || late[0].Kind != monitor.Reply || late[0].Asked != nil {
		t.Errorf("%+v", late)
	}
}

// TestEveryByteIsTold is about lines of another speed: nothing is kept for ever.
func TestEveryByteIsTold(t *testing.T) {
	d, at := monitor.New(line, modbus.RTU), time.Unix(1700000000, 0)
	fed, got := 0, 0
	for i := range 200 {
		b := bytes.Repeat([]byte{byte(i), 3, 0xFF}, 7)
		fed += len(b)
		at = at.Add(line.Chars(len(b)))
		for _, f := range d.Add(b, at) {
			got += len(f.ADU)
		}
		if fed-got > 1024 {
			t.Fatalf("%d bytes are kept", fed-got)
		}
	}
	for _, f := range d.Silence() {
		got += len(f.ADU)
	}
	if got != fed {
		t.Errorf("%d bytes came, %d were told", fed, got)
	}
}

// FuzzDecoder checks that every byte comes out once, in order, and that there are
// words for everything.
func FuzzDecoder(f *testing.F) {
	for _, pair := range [][2]string{
		{"01 03 0000 0001", "01 03 02 1234"}, {"01 2b 0e 01 00", "01 2b 0e 01 81 00 00 01 00 03 616263"}, {"01 18 04de", "01 18 0006 0002 01b8 1284"},
		{"01 0f 0013 000a 02 cd01", "01 8f 04"}, {"05 41 0102 03", "05 41"}, {"01 08 0000 a537", "01 08 0000 a537"},
		{"01 17 0003 0006 000e 0003 06 00ff 00ff 00ff", "01 17 02 00fe"}, {"01 10 0001 0002 04 000a 0102", "01 10 0001 0002"},
	} {
		first, second := adu(f, pair[0]), adu(f, pair[1])
		f.Add(first[:len(first)-2], second[:len(second)-2], []byte{0xFF}, uint8(7), false)
		f.Add(first[:len(first)-2], second[:len(second)-2], []byte(":01"), uint8(2), true)
	}
	f.Fuzz(func(t *testing.T, request, reply, noise []byte, lump uint8, text bool) {
		frame, framing := modbus.AppendCRC, modbus.RTU
		if text {
			frame, framing = modbus.EncodeASCII, modbus.ASCII
		}
		wire := append(frame(request), frame(reply)...)
		wire = append(wire, noise...)
		d, at := monitor.New(line, framing), time.Unix(1700000000, 0)
		var got []byte
		take := func(frames []monitor.Frame) {
			for _, fr := range frames {
				got = append(got, fr.ADU...)
				if fmt.Sprint(fr) == "" || fr.Gap < 0 {
					t.Errorf("%+v", fr)
				}
			}
		}
		for b := range slices.Chunk(wire, 1+int(lump)) {
			at = at.Add(time.Millisecond)
			take(d.Add(b, at))
		}
		take(d.Silence())
		if !bytes.Equal(got, wire) {
			t.Errorf("%x came, %x was told", wire, got)
		}
	})
}
