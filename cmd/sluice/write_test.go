package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/drivers/sim/device"
)

func TestWriteCommandLine(t *testing.T) {
	site := siteOn(t, "/dev/none")
	for _, tt := range []struct{ args, err string }{
		{"", "hint: sluice write /dev/ttyUSB0"},
		{"/dev/x holding 0x1", "name a register and a value behind the port"},
		{"/dev/x input 0x1 5", "hint: only coils and holding registers can"},
		{"/dev/x holding 0x1 1,5", "hint: write 1.5"},
		{"/dev/x holding 0x1 much", "\"much\" is not a number"},
		{"/dev/x holding 0x1 NaN -type float32", "\"NaN\" is not a number"},
		{"/dev/x coil 0x1 2", "\"2\" is neither on nor off"},
		{"/dev/x holding 0x0 -type string -length 124 x", "at most 123 registers"},
		{"-c " + site + " tank setpoint", "write takes a device, a point and a value"},
		{"-c " + site + " tank level 5", "its points are voltage"},
	} {
		if code, out, err := sluice(t, "write "+tt.args); code != exitUsage || out != "" || !strings.Contains(err, tt.err) {
			t.Errorf("sluice write %s: exit code %d, %q, %q, want %q", tt.args, code, out, err, tt.err)
		}
	}
}

// serveWatched serves a memory as unit 7 and keeps the function of the last write.
func serveWatched(t *testing.T) (port string, written *atomic.Uint32) {
	t.Helper()
	written = new(atomic.Uint32)
	return serve(t, sim.Config{
		Units: map[modbus.UnitID]sim.Unit{7: {Device: memory()}},
		OnReply: func(r sim.Reply) {
			if r.Function > modbus.ReadInputRegisters {
				written.Store(uint32(r.Function))
			}
		},
	}), written
}

// TestWrite writes one value after the other to one memory.
func TestWrite(t *testing.T) {
	port, written := serveWatched(t)
	site := siteOn(t, port)
	onPort := port + " -baud 115200 -unit 7 -yes "
	for _, tt := range []struct {
		args, out string
		function  uint32 // 0: nothing is written
		err       string
	}{
		{onPort + "holding 0x0 1600", "holding 0x0000 (40001)  1500 (05dc)  ->  1600 (0640)\nholding 0x0000 (40001): written; now it reads 1600 (0640)", 6, ""},
		{onPort + "holding 0x0 -5 -type int16", "-5 (fffb)", 6, ""},
		{onPort + "holding 0x0 0x10 17", "holding 0x0001 (40002): written; now it reads 17 (0011)", 16, ""},
		{onPort + "holding 0x2 -type float32 21.5", "now it reads 21.5 (41ac 0000)", 16, ""},
		{onPort + "coil 0x1 on", "false (0)  ->  true (1)", 5, ""},
		{onPort + "coil 0x0 off 1 off", "coil 0x0002 (00003): written; now it reads false (0)", 15, ""},
		{onPort + "holding 0x0 70000", "", 0, "70000 is out of range: this uint16 holds 0 to 65535\n  hint: check the value"},
		{onPort + "holding 0x9 1", "cannot be read; becomes 1 (0001)", 6, "exception 2 (illegal data address)\n  hint: the device has no such register"},
		{onPort + "holding 0x9 -type bool on", "", 0, "the rest of the register cannot be read: unit 7: refused: exception 2"},
		{"-yes -c " + site + " tank setpoint 1700", "setpoint  16 mm (0010)  ->  1700 mm (06a4)", 6, ""},
		{"-yes -c " + site + " tank alarm on", "alarm  false (0011)  ->  true (0111)", 6, ""},
		{"-yes -c " + site + " gone a 1", "", 0, "unit 9: silent: no reply within 1s"},
	} {
		written.Store(0)
		code, out, err := sluice(t, "write "+tt.args)
		if !strings.Contains(out, tt.out) || !strings.Contains(err, tt.err) || (code == exitOK) != (tt.err == "") || written.Load() != tt.function {
			t.Errorf("sluice write %s: exit code %d, function %d\n%s%s", tt.args, code, written.Load(), out, err)
		}
	}
}

// stubborn is a device whose registers change as it likes.
type stubborn struct{ device.Memory }

func (*stubborn) Write(time.Time, device.Table, uint16, []uint16) error { return nil }

func TestWriteToOddDevices(t *testing.T) {
	port := serve(t, sim.Config{Units: map[modbus.UnitID]sim.Unit{
		1: {Device: memory(), Refuses: []modbus.Function{modbus.WriteSingleRegister, modbus.WriteSingleCoil}},
		2: {Device: memory(), Refuses: []modbus.Function{modbus.ReadHoldingRegisters}},
		3: {Device: &stubborn{*memory()}},
		4: {Device: memory(), Ignores: []modbus.Function{modbus.WriteSingleRegister}},
	}})
	for _, tt := range []struct{ args, out, err string }{
		{"-unit 1 holding 0x0 7", "now it reads 7", "the device does not know function 6, so function 16 is tried"},
		{"-unit 1 coil 0x1 on", "now it reads true", "the device does not know function 5, so function 15 is tried"},
		{"-unit 2 holding 0x0 7", "written; it cannot be read back", ""},
		{"-unit 3 holding 0x0 7", "now it reads 1500", "holding 0x0000 (40001) does not hold what was written\n  hint: "},
		{"-unit 4 holding 0x0 7", "", "it is not known whether it was written: unit 4: silent"},
	} {
		_, out, err := sluice(t, "write "+port+" -baud 115200 -timeout 1s -yes "+tt.args)
		if !strings.Contains(out, tt.out) || !strings.Contains(err, tt.err) || tt.err == "" && err != "" {
			t.Errorf("sluice write %s:\n%s%s", tt.args, out, err)
		}
	}
}

func TestWriteAsks(t *testing.T) {
	port := serveMemory(t)
	args := strings.Fields(port + " -baud 115200 -unit 7 holding 0x0 9")
	var out bytes.Buffer
	for answer, want := range map[string]string{"n\n": "nothing was written", "": "nothing was written", "maybe": "nothing was written", " Yes \n": ""} {
		out.Reset()
		got := ""
		if err := writeAsking(t.Context(), args, terminal{&out, io.Discard}, strings.NewReader(answer)); err != nil {
			got = err.Error()
		}
		if got != want || !strings.Contains(out.String(), "write this with function 6 (write single register)? [y/N] ") {
			t.Errorf("answer %q: %q\n%s", answer, got, out.String())
		}
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	cancel(interrupted)
	silent, far := io.Pipe()
	defer far.Close()
	if err := writeAsking(ctx, args, terminal{&out, io.Discard}, silent); err != interrupted {
		t.Errorf("interrupted: %v", err)
	}
}
