//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/drivers/ascii"
	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
	"sluice/drivers/serial"
	"sluice/drivers/tcp"
)

// A foreign slave holds at every address n of unit 9, bits up to 1999 and
// registers up to 199:
//
//	coil      on where n is a multiple of 3
//	discrete  on where n is odd
//	input     1000 + n
//	holding   2000 + n
const (
	foreignUnit = 9
	bits        = 2000
	inputBase   = 1000
	holdingBase = 2000
)

var foreignLine = modbus.Line{Baud: 19200, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}

// slaves are the programs of other makers, and the functions they have beyond
// reading and writing the four tables. Some claim one more: pymodbus 3.0 answers
// ReadFileRecord without any record, modbus-serial 8.0 overlooks every RTU request
// shorter than six bytes, of which ReportServerID is one.
var slaves = []struct {
	name    string
	command func(t *testing.T, port string, framing modbus.Framing) *exec.Cmd
	framing []modbus.Framing
	more    []modbus.Function
}{
	{"pymodbus", pymodbus, []modbus.Framing{modbus.RTU, modbus.ASCII, modbus.TCP}, []modbus.Function{
		modbus.ReadExceptionStatus, modbus.Diagnostics, modbus.GetEventCounter, modbus.ReportServerID,
		modbus.WriteFileRecord, modbus.MaskWriteRegister,
		modbus.ReadWriteMultipleRegisters, modbus.ReadFIFOQueue, modbus.EncapsulatedInterface,
	}},
	{"libmodbus", libmodbus, []modbus.Framing{modbus.RTU, modbus.TCP}, []modbus.Function{
		modbus.ReportServerID, modbus.MaskWriteRegister, modbus.ReadWriteMultipleRegisters,
	}},
	{"modbus-serial", modbusSerial, []modbus.Framing{modbus.RTU, modbus.TCP}, []modbus.Function{modbus.EncapsulatedInterface}},
}

func pymodbus(t *testing.T, port string, framing modbus.Framing) *exec.Cmd {
	return exec.Command("/usr/bin/python3", "testdata/peers/tables.py", port, strings.ToLower(framing.String()))
}

// libmodbus is a library: the slave on it is ours.
func libmodbus(t *testing.T, port string, _ modbus.Framing) *exec.Cmd {
	program := filepath.Join(t.TempDir(), "tables")
	if out, err := exec.Command("cc", "-O1", "-Wall", "-Werror", "-o", program, "testdata/peers/tables.c", "-lmodbus").CombinedOutput(); err != nil {
		t.Fatalf("%v: run `make peers`\n%s", err, out)
	}
	return exec.Command(program, port)
}

func modbusSerial(t *testing.T, port string, _ modbus.Framing) *exec.Cmd {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(cache, "sluice-peers/modbus-serial/node_modules")
	if _, err := os.Stat(filepath.Join(modules, "modbus-serial")); err != nil {
		t.Fatalf("%v: run `make peers`", err)
	}
	cmd := exec.Command("node", "testdata/peers/tables.js", port)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	return cmd
}

// TestForeignSlaves reads and writes all tables of slaves of other makers, over a
// pair of terminals and over TCP, with every function that they and we have.
func TestForeignSlaves(t *testing.T) {
	for _, s := range slaves {
		for _, framing := range s.framing {
			t.Run(fmt.Sprintf("%s %v", s.name, framing), func(t *testing.T) {
				t.Parallel()
				near, far := foreignPorts(t, framing)
				background(t, s.command(t, far, framing))
				c := conversation{t, connect(t, near, framing)}
				c.tables()
				for _, f := range s.more {
					c.function(f)
				}
				c.refusals()
			})
		}
	}
}

// foreignPorts are the names by which master and slave find each other.
func foreignPorts(t *testing.T, framing modbus.Framing) (near, far string) {
	if framing == modbus.TCP {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		return l.Addr().String(), port
	}
	dir := t.TempDir()
	near, far = filepath.Join(dir, "near"), filepath.Join(dir, "far")
	background(t, exec.Command("socat", "pty,raw,echo=0,link="+near, "pty,raw,echo=0,link="+far))
	until(t, "socat's terminals", func() bool { return exists(near) && exists(far) })
	return near, far
}

// background runs a program until the test ends.
func background(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var said syncBuffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: run `make peers`", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if text := said.String(); t.Failed() && text != "" {
			t.Logf("%s said:\n%s", cmd.Path, text)
		}
	})
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(startLimit); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", startLimit, what)
		}
	}
}

// connect returns a client once the slave answers.
func connect(t *testing.T, near string, framing modbus.Framing) *modbus.Client {
	var client *modbus.Client
	until(t, "the slave to answer", func() bool {
		transport, err := open(near, framing)
		if err != nil {
			return false
		}
		client = modbus.NewClient(transport)
		_, err = client.Do(modbus.Request{Unit: foreignUnit, Function: modbus.ReadCoils, Count: 1}, modbus.Timing{Timeout: time.Second})
		if err != nil {
			transport.Close()
			return false
		}
		t.Cleanup(func() { transport.Close() })
		return true
	})
	return client
}

type transport interface {
	modbus.Transport
	Close() error
}

func open(near string, framing modbus.Framing) (transport, error) {
	if framing == modbus.TCP {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", near)
		if err != nil {
			return nil, err
		}
		return tcp.New(conn), nil
	}
	port, err := serial.Open(serial.Config{Port: near, Line: foreignLine})
	if err != nil {
		return nil, err
	}
	if framing == modbus.ASCII {
		return ascii.New(port, ascii.Config{Line: foreignLine}), nil
	}
	return rtu.New(port, rtu.Config{Line: foreignLine, Virtual: true}), nil
}
