package sim_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/ascii"
	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/drivers/sim/device"
	"sluice/drivers/tcp"
)

// listen serves a bus on loopback until the test ends, and returns a connection.
func listen(t *testing.T, bus *sim.Bus) net.Conn {
	t.Helper()
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := bus.Listen(ctx, in); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); serving.Wait() })
	conn, err := net.Dial("tcp", in.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func cells() *device.Memory { return &device.Memory{device.Holding: {10, 11, 12, 13}} }

var readTwo = modbus.Request{Unit: 7, Function: modbus.ReadHoldingRegisters, Address: 1, Count: 2}

// TestListen has our own transports as masters on a network.
func TestListen(t *testing.T) {
	units := map[modbus.UnitID]sim.Unit{7: {Device: cells()}}
	line := modbus.Line{Baud: 115200, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}
	for _, tt := range []struct {
		framing   modbus.Framing
		transport func(net.Conn) modbus.Transport
	}{
		{modbus.TCP, func(c net.Conn) modbus.Transport { return tcp.New(c) }},
		{modbus.ASCII, func(c net.Conn) modbus.Transport { return ascii.New(tcp.NewPort(c), ascii.Config{Line: line}) }},
	} {
		bus := sim.New(sim.Config{Line: line, Framing: tt.framing, Units: units})
		client := modbus.NewClient(tt.transport(listen(t, bus)))
		data, err := client.Do(readTwo, modbus.Timing{Timeout: time.Second})
		if err != nil || string(data) != "\x00\x0B\x00\x0C" {
			t.Errorf("%v: % x, %v", tt.framing, data, err)
		}
		bus.SetFaults(sim.Faults{WrongUnit: 1})
		if _, err := client.Do(readTwo, modbus.Timing{Timeout: 50 * time.Millisecond}); err == nil {
			t.Errorf("%v: another unit's reply was taken", tt.framing)
		}
	}
}

// TestPipeline has a master that sends three requests at once: all are answered, in
// order, by their numbers.
func TestPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port := sim.NewMemPort()
		bus := sim.New(sim.Config{Framing: modbus.TCP, Units: map[modbus.UnitID]sim.Unit{7: {Device: cells(), Latency: 10 * time.Millisecond}}})
		go bus.Serve(t.Context(), port)
		defer port.Unplug()
		start := time.Now()
		for i := range byte(3) {
			port.Write([]byte{0, i, 0, 0, 0, 6, 7, 3, 0, i, 0, 1})
		}
		port.Write([]byte{0, 9, 0, 1, 0, 6, 7, 3, 0, 0, 0, 1}) // another protocol
		port.SetReadTimeout(time.Second)
		var got []byte
		var buf [64]byte
		for len(got) < 33 {
			n, err := port.Read(buf[:])
			if n == 0 || err != nil {
				t.Fatalf("% x, %v", got, err)
			}
			got = append(got, buf[:n]...)
		}
		for i := range byte(3) {
			if want := string([]byte{0, i, 0, 0, 0, 5, 7, 3, 2, 0, 10 + i}); string(got[11*int(i):11*int(i)+11]) != want {
				t.Errorf("% x", got)
			}
		}
		if took := time.Since(start).Round(time.Millisecond); took != 30*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if s := bus.Stats(); s.Requests != 4 || s.Damaged != 1 || s.Replies != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// TestASCII is true to the baud rate: a request ends by its line feed, and the
// reply takes the time of its characters.
func TestASCII(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port := sim.NewMemPort()
		line := modbus.Line{Baud: 9600, DataBits: 7, Parity: modbus.EvenParity, StopBits: 1}
		bus := sim.New(sim.Config{
			Line: line, Framing: modbus.ASCII, Adapter: sim.Adapter{Trigger: 1},
			Units: map[modbus.UnitID]sim.Unit{7: {Device: cells(), Latency: 10 * time.Millisecond}},
		})
		go bus.Serve(t.Context(), port)
		defer port.Unplug()
		client := modbus.NewClient(ascii.New(port, ascii.Config{Line: line}))
		start := time.Now()
		data, err := client.Do(readTwo, modbus.Timing{Timeout: 100 * time.Millisecond})
		if err != nil || string(data) != "\x00\x0B\x00\x0C" {
			t.Fatalf("% x, %v", data, err)
		}
		want := line.Silence() + line.Chars(17) + 10*time.Millisecond + line.Chars(19)
		if took := time.Since(start); (took - want).Abs() > time.Microsecond {
			t.Errorf("took %v, want %v", took, want)
		}
		port.Write([]byte("noise:0703"))
		time.Sleep(time.Second)
		if data, err := client.Do(readTwo, modbus.Timing{Timeout: 100 * time.Millisecond}); err != nil {
			t.Errorf("after a request that was cut: % x, %v", data, err)
		}
	})
}
