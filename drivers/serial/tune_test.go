package serial

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"sluice/drivers/modbus"
)

var nineteen2 = modbus.Line{Baud: 19200, DataBits: 8, Parity: modbus.EvenParity, StopBits: 1}

// The sizes and offsets that a C compiler gives the structs of <linux/serial.h>.
func TestLayout(t *testing.T) {
	size, memory, mapping := uintptr(72), uintptr(48), uintptr(64)
	if unsafe.Sizeof(uintptr(0)) == 4 {
		size, memory, mapping = 60, 44, 56
	}
	for _, tt := range []struct {
		what      string
		got, want uintptr
	}{
		{"serial_rs485", unsafe.Sizeof(kernelRS485{}), 32},
		{"serial_struct", unsafe.Sizeof(kernelPort{}), size},
		{"serial_struct.flags", unsafe.Offsetof(kernelPort{}.flags), 16},
		{"serial_struct.iomem_base", unsafe.Offsetof(kernelPort{}.memory), memory},
		{"serial_struct.iomap_base", unsafe.Offsetof(kernelPort{}.mapping), mapping},
		{"serial_icounter_struct", unsafe.Sizeof(kernelCounts{}), 80},
		{"serial_icounter_struct.frame", unsafe.Offsetof(kernelCounts{}.frame), 24},
		{"serial_icounter_struct.buf_overrun", unsafe.Offsetof(kernelCounts{}.dropped), 40},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %d, want %d", tt.what, tt.got, tt.want)
		}
	}
}

func TestRS485Encoding(t *testing.T) {
	for _, tt := range []struct {
		rs485 RS485
		want  kernelRS485
	}{
		{RS485{}, kernelRS485{flags: 0x03}},
		{RS485{AfterSend: true}, kernelRS485{flags: 0x05}},
		{RS485{DelayBefore: time.Millisecond, DelayAfter: MaxRTSDelay}, kernelRS485{flags: 0x03, before: 1, after: 100}},
		{RS485{RxDuringTx: true}, kernelRS485{flags: 0x13}},
		{RS485{Terminate: true, AfterSend: true}, kernelRS485{flags: 0x25}},
	} {
		if got := tt.rs485.encode(); got != tt.want {
			t.Errorf("%+v: %+v, want %+v", tt.rs485, got, tt.want)
		}
	}
}

func TestWhatTheDriverTook(t *testing.T) {
	want := RS485{DelayBefore: 2 * time.Millisecond, DelayAfter: time.Millisecond, Terminate: true}.encode()
	changed := func(change func(*kernelRS485)) kernelRS485 {
		k := want
		change(&k)
		return k
	}
	for _, tt := range []struct {
		name  string
		got   kernelRS485
		notes []string
		err   string
	}{
		{"all", want, nil, ""},
		{"nothing", kernelRS485{}, nil, "cannot switch"},
		{"polarity", changed(func(k *kernelRS485) { k.flags ^= 0x06 }), nil, "the other way round only: rs485: {rts: after-send}"},
		{"delays", changed(func(k *kernelRS485) { k.before, k.after = 0, 0 }), []string{
			"rs485: delay_before is 0 ms, not 2 ms: the driver takes no other",
			"rs485: delay_after is 0 ms, not 1 ms: the driver takes no other",
		}, ""},
		{"receiver and terminator", changed(func(k *kernelRS485) { k.flags ^= 0x30 }), []string{
			"rs485: rx_during_tx is true: the driver cannot do otherwise",
			"rs485: terminate is false: the driver cannot do otherwise",
		}, ""},
		{"flags to come", changed(func(k *kernelRS485) { k.flags |= 1 << 9 }), nil, ""},
	} {
		notes, err := want.compare(tt.got)
		if !slices.Equal(notes, tt.notes) || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q, %v; want %q, %s", tt.name, notes, err, tt.notes, tt.err)
		}
	}
}

// A pseudo-terminal refuses every call that a UART knows. So do drivers that lack
// the feature.
func TestWhatADriverLacks(t *testing.T) {
	_, path := PTY(t)
	for _, tt := range []struct {
		rs485 RS485
		want  string
	}{
		{RS485{}, path + ": its driver cannot switch an RS-485 transceiver: remove rs485 if the adapter switches by itself"},
		{RS485{Program: true}, path + ": rs485: {by: program} needs a port with an RTS line: inappropriate ioctl"},
	} {
		p, err := Open(Config{Port: path, Line: nineteen2, RS485: &tt.rs485})
		if err == nil {
			p.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
	p, err := Open(Config{Port: path, Line: nineteen2, LowLatency: true})
	if err != nil {
		t.Fatal("the failed attempts left the port claimed:", err)
	}
	defer p.Close()
	if len(p.Notes()) != 0 {
		t.Errorf("a pseudo-terminal needs no low latency: %q", p.Notes())
	}
	if _, err := p.LineErrors(); !errors.Is(err, errors.ErrUnsupported) || !strings.HasPrefix(err.Error(), path) {
		t.Errorf("line errors: %v", err)
	}
	if got, want := hasten(p.side, "/", path), []string{"low_latency: its driver has no such mode"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	p.Close()
	if _, err := p.LineErrors(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("line errors after Close: %v", err)
	}
}

func TestHoldback(t *testing.T) {
	root := machine(t)
	for _, tty := range []string{"ttyUSB0", "ttyUSB2", "ttyS0"} {
		put(t, filepath.Join(root, "dev", tty), "")
	}
	put(t, filepath.Join(root, "dev/boiler"), "-> ttyUSB0") // a link of the site's own
	for _, tt := range []struct {
		holdback
		path, tty string
		want      int
	}{
		{latencyTimer, "boiler", "ttyUSB0", 1},
		{latencyTimer, "ttyUSB2", "ttyUSB2", 1},
		{latencyTimer, "ttyS0", "", 0},
		{latencyTimer, "gone", "", 0},
		{receiveTrigger, "ttyS0", "ttyS0", 1},
		{receiveTrigger, "ttyUSB0", "", 0},
	} {
		if n, err := tt.lower(root, filepath.Join(root, "dev", tt.path)); n != tt.want || err != nil {
			t.Errorf("%s of %s: %d, %v; want %d", tt.file, tt.path, n, err, tt.want)
		}
		if tt.tty == "" {
			continue
		}
		if got := attribute(filepath.Join(root, "sys/class/tty", tt.tty), tt.file); got != "1" {
			t.Errorf("%s of %s is %q", tt.file, tt.path, got)
		}
	}
}

// The attributes are links to a number that not even root may write.
func TestHoldbackOutOfReach(t *testing.T) {
	const number = "/proc/sys/kernel/ngroups_max" // 65536
	root := machine(t)
	for tty, tt := range map[string]struct{ file, want string }{
		"ttyUSB0": {latencyTimer.file, `low_latency: the adapter holds replies back for up to 65536 ms: permission denied; ` +
			`a udev rule with ATTR{latency_timer}="1" can change it`},
		"ttyS0": {receiveTrigger.file, `low_latency: the UART tells of every 65536 characters, and of the last ones late: permission denied; ` +
			`a udev rule with ATTR{rx_trig_bytes}="1" can change it`},
	} {
		put(t, filepath.Join(root, "dev", tty), "")
		file := filepath.Join(root, "sys/class/tty", tty, tt.file)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		put(t, file, "-> "+number)
		if got := hasten(-1, root, filepath.Join(root, "dev", tty)); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestCountsSince(t *testing.T) {
	then := kernelCounts{frame: 1<<32 - 1, overrun: 3, dropped: 4, parity: 5, brk: 6}
	now := kernelCounts{frame: 1, overrun: 4, dropped: 6, parity: 5, brk: 7}
	if got, want := now.since(then), (LineErrors{Framing: 2, Overrun: 3, Break: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
