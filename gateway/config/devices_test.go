package config_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim/device"
	"sluice/gateway/config"
	"sluice/mapping"
	"sluice/mapping/point"
)

// examples are units of every built-in template that hold known words, and what
// they mean. The words were packed by another program, the values are what the
// makers' examples or common sense make of them.
var examples = []struct {
	template string
	holds    string // register=words; all others are 0
	reads    string // point=value
}{
	{"eastron-sdm120", "input 0x0000=43668000 input 0x000C=c49a5000 input 0x0046=42480ccd input 0x0156=47c0e6b7",
		"voltage=230.5 power=-1234.5 frequency=50.0125 total-energy=98765.43 current=0"},
	{"eastron-sdm230", "input 0x0006=3fa00000 input 0x0048=47c0e6b7", "current=1.25 import-energy=98765.43"},
	{"eastron-sdm630", "input 0x0004=43668000 input 0x0034=c49a5000 input 0x0046=42480ccd input 0x017C=47c0e6b7",
		"voltage-l3=230.5 power=-1234.5 frequency=50.0125 total-reactive-energy-l3=98765.43"},
	{"eastron-sdm72", "input 0x0034=c49a5000 input 0x0502=3fa00000", "power=-1234.5 export-power=1.25"},
	{"eastron-sdm72-v2", "input 0x0002=43668000 input 0x0158=47c0e6b7", "voltage-l2=230.5 total-reactive-energy=98765.43"},
	{"xy-md02", "input 0x0001=ff33 input 0x0002=01a1", "temperature=-20.5 humidity=41.7"},
	{"generic-sht20", "holding 0x0000=00fb holding 0x0001=01a1", "temperature=25.1 humidity=41.7"},
	{"carlo-gavazzi-em24", "input 0x0000=09010000 input 0x000C=04d20000 input 0x0028=cfc7ffff input 0x0037=01f4 input 0x003E=d6870012 input 0x004A=d6870012",
		"voltage-l1=230.5 current-l1=1.234 power=-1234.5 frequency=50 import-energy=123456.7 import-energy-l3=123456.7"},
	{"carlo-gavazzi-em340", "input 0x0004=09010000 input 0x0016=cfc7ffff input 0x0033=01f4 input 0x0034=d6870012",
		"voltage-l3=230.5 power-l3=-1234.5 frequency=50 import-energy=123456.7"},
	{"abb-b23", "holding 0x5B00=00000901 holding 0x5B14=ffffcfc7 holding 0x5B2C=1388 holding 0x5000=00000000499602d2 holding 0x5474=ffffffffffffffff",
		"voltage-l1=230.5 power=-123.45 frequency=50 import-energy=12345678.9 export-energy-l3=bad"},
	{"schneider-iem3155", "holding 0x0BBB=3fa00000 holding 0x0BD3=43668000 holding 0x0BDB=43668000 holding 0x0BF3=3fa00000 holding 0x0C25=42480ccd holding 0x0C83=0000000005e30a76",
		"current-l3=1.25 voltage-l1=230.5 voltage=230.5 power=1.25 frequency=50.0125 import-energy=98765.43"},
	{"janitza-umg96rm", "holding 0x4A38=43668000 holding 0x4A52=c49a5000 holding 0x4A6A=42480ccd holding 0x4A7C=47c0e6b7",
		"voltage-l1=230.5 power=-1234.5 frequency=50.0125 import-energy=98.76543"},
	{"growatt", "input 0x0000=0001 input 0x0023=00003039 input 0x0025=1389 input 0x0026=0901 input 0x0037=0012d687 input 0x005D=ffce",
		"state=normal power=1234.5 frequency=50.01 voltage-l1=230.5 energy-total=123456.7 temperature=-5"},
	{"sunspec-inverter", "holding 0x9C44=416363656c6c holding 0x9C88=04d2 holding 0x9C8C=fffe holding 0x9C94=3039 holding 0x9C95=ffff " +
		"holding 0x9C8B=ffff holding 0x9C96=1388 holding 0x9C97=fffe holding 0x9C9E=0012d687 holding 0x9CAC=0004",
		"manufacturer=Accell current=12.34 current-l3=bad power=1234.5 frequency=50 energy=1234567 state=mppt"},
	{"relay-board-8", "coil 0x0000=01 coil 0x0007=01", "relay-1=true relay-2=false relay-8=true"},
	{"wirenboard-wb-mcm8", "input 0x003C=0012d687 input 0x004A=ffffffff discrete 0x0002=01 input 0x0079=2ee0",
		"count-1=1234567 count-8=4294967295 input-3=true supply=12"},
}

// TestDevices polls a simulated unit of every built-in template and compares the
// values.
func TestDevices(t *testing.T) {
	tried := map[string]bool{}
	for _, e := range examples {
		tried[e.template] = true
		t.Run(e.template, func(t *testing.T) {
			d := deviceOf(t, e.template)
			read := map[string]string{}
			for _, r := range poll(t, &d, memoryOf(t, e.holds)) {
				read[r.Point] = r.Value.String()
				if r.Quality != point.Good {
					read[r.Point] = r.Quality.String()
				}
			}
			for _, want := range strings.Fields(e.reads) {
				id, value, _ := strings.Cut(want, "=")
				if read[id] != value {
					t.Errorf("%s reads %s, want %s", id, read[id], value)
				}
			}
		})
	}
	for _, name := range config.OpenLibrary(t.TempDir()).Names() {
		if !tried[name] {
			t.Errorf("template %s has no example", name)
		}
	}
}

// TestSunSpecWalk has an inverter with one phase that keeps its models behind 0, a
// model of its maker between them.
func TestSunSpecWalk(t *testing.T) {
	d := deviceOf(t, "sunspec-inverter")
	unit := memoryOf(t, "holding 0x0000=53756e53 holding 0x0002=00010042 holding 0x0004=416363656c6c "+
		"holding 0x0046=fde80003 holding 0x004B=00650032 holding 0x0059=3039 holding 0x005A=ffff holding 0x007D=ffff")
	walk := mapping.NewWalk(&d)
	for walk.Tell(ask(t, unit, walk.Next())) != true {
		continue
	}
	moved, why := walk.Moved()
	for i, reason := range why {
		if reason != "" {
			t.Errorf("%s: %s", d.Points[i].ID, reason)
		}
	}
	read := map[string]string{}
	for _, r := range poll(t, moved, unit) {
		read[r.Point] = r.Value.String()
	}
	if read["manufacturer"] != "Accell" || read["power"] != "1234.5" {
		t.Errorf("manufacturer %s, power %s, want Accell and 1234.5", read["manufacturer"], read["power"])
	}
}

// deviceOf returns a device made from a built-in template.
func deviceOf(t *testing.T, template string) mapping.Device {
	t.Helper()
	c, err := config.Parse("site.yaml", fmt.Appendf(nil, `version: 1
site: x
buses: [{id: b, port: /dev/ttyUSB0, baud: 9600, format: 8N1}]
devices: [{id: d, bus: b, unit: 1, template: %s}]
`, template))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 {
		t.Error(c.Warnings.Error())
	}
	return c.Devices[0]
}

// memoryOf is a unit that holds words.
func memoryOf(t *testing.T, holds string) *device.Memory {
	t.Helper()
	m := &device.Memory{}
	for i := range m {
		m[i] = make([]uint16, 1<<16)
	}
	fields := strings.Fields(holds)
	for i := 0; i < len(fields); i += 2 {
		number, words, _ := strings.Cut(fields[i+1], "=")
		r, err := mapping.ParseRegister(fields[i]+" "+number, "modicon")
		if err != nil {
			t.Fatal(err)
		}
		data, err := hex.DecodeString(words)
		if err != nil {
			t.Fatal(err)
		}
		if r.Table.Bits() {
			m[r.Table][r.Address] = uint16(data[0])
			continue
		}
		for j := 0; j < len(data); j += 2 {
			m[r.Table][int(r.Address)+j/2] = binary.BigEndian.Uint16(data[j:])
		}
	}
	return m
}

// poll reads all points of a device once.
func poll(t *testing.T, d *mapping.Device, unit device.Device) []point.Reading {
	t.Helper()
	var readings []point.Reading
	now := time.Now()
	line := modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}
	for _, b := range d.Plan(d.All(), mapping.Terms{Line: line}) {
		readings = b.AppendReadings(readings, d.ID, ask(t, unit, b.Request), now)
	}
	return readings
}

// ask returns the data of a unit's reply.
func ask(t *testing.T, unit device.Device, req modbus.Request) []byte {
	t.Helper()
	pdu := binary.BigEndian.AppendUint16([]byte{byte(req.Function)}, req.Address)
	reply := device.Answer(unit, time.Now(), binary.BigEndian.AppendUint16(pdu, req.Count))
	if reply[0] != byte(req.Function) {
		t.Fatalf("%v of %d at 0x%04x: %x", req.Function, req.Count, req.Address, reply)
	}
	return reply[2:]
}
