package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	goburrow "github.com/goburrow/modbus"
	gridx "github.com/grid-x/modbus"
	simonvetter "github.com/simonvetter/modbus"

	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
	"sluice/drivers/serial"
)

// stacks are who is compared, in the order of the tables. Each is used as its
// documentation says, with what it has by default but for the timeout.
var stacks = [...]string{"sluice", "goburrow", "grid-x", "simonvetter", libmodbus}

// dial opens the port of a job with the stack it names.
func dial(j job) (stack, error) {
	switch j.Stack {
	case "sluice":
		return dialSluice(j)
	case "goburrow":
		return dialGoburrow(j)
	case "grid-x":
		return dialGridX(j)
	case "simonvetter":
		return dialSimonvetter(j)
	default:
		return nil, fmt.Errorf("there is no stack %q", j.Stack)
	}
}

// ours is a bus without its queue, as the others have none.
type ours struct {
	port      *serial.Port
	client    *modbus.Client
	transport *rtu.Transport
	timing    modbus.Timing
}

// dialSluice does not say that the port is virtual: behind this pseudo-terminal
// characters take their time.
func dialSluice(j job) (stack, error) {
	port, err := serial.Open(serial.Config{Port: j.Path, Line: j.Line})
	if err != nil {
		return nil, err
	}
	t := rtu.New(port, rtu.Config{Line: j.Line})
	return &ours{port, modbus.NewClient(t), t, modbus.Timing{Timeout: j.Timeout}}, nil
}

// read waits for a unit in doubt as a bus does, with nobody else to serve.
func (s *ours) read(unit modbus.UnitID, address, count uint16) ([]byte, error) {
	req := modbus.Request{Unit: unit, Function: modbus.ReadHoldingRegisters, Address: address, Count: count}
	for {
		data, err := s.client.Do(req, s.timing)
		if !errors.Is(err, modbus.ErrInDoubt) {
			return data, err
		}
		time.Sleep(time.Until(s.transport.NotBefore(unit)))
	}
}

// lag is by how much the port, which is the clock of the bus, lets this process
// sleep too long: the median of some pauses as long as a silence.
func (s *ours) lag() time.Duration {
	late := make([]time.Duration, 51)
	for i := range late {
		until := time.Now().Add(2 * time.Millisecond)
		s.port.Pause(time.Until(until))
		late[i] = time.Since(until)
	}
	slices.Sort(late)
	return late[len(late)/2]
}

type goburrowStack struct {
	handler *goburrow.RTUClientHandler
	client  goburrow.Client
}

func dialGoburrow(j job) (stack, error) {
	h := goburrow.NewRTUClientHandler(j.Path)
	h.BaudRate, h.DataBits, h.Parity, h.StopBits = j.Line.Baud, j.Line.DataBits, string(j.Line.Parity), j.Line.StopBits
	h.Timeout = j.Timeout
	return &goburrowStack{h, goburrow.NewClient(h)}, h.Connect()
}

func (s *goburrowStack) read(unit modbus.UnitID, address, count uint16) ([]byte, error) {
	s.handler.SlaveId = byte(unit)
	return s.client.ReadHoldingRegisters(address, count)
}

type gridXStack struct {
	handler *gridx.RTUClientHandler
	client  gridx.Client
}

func dialGridX(j job) (stack, error) {
	h := gridx.NewRTUClientHandler(j.Path)
	h.BaudRate, h.DataBits, h.Parity, h.StopBits = j.Line.Baud, j.Line.DataBits, string(j.Line.Parity), j.Line.StopBits
	h.Timeout = j.Timeout
	return &gridXStack{h, gridx.NewClient(h)}, h.Connect()
}

func (s *gridXStack) read(unit modbus.UnitID, address, count uint16) ([]byte, error) {
	s.handler.SlaveID = byte(unit)
	return s.client.ReadHoldingRegisters(address, count)
}

type simonvetterStack struct{ client *simonvetter.ModbusClient }

func dialSimonvetter(j job) (stack, error) {
	parity := map[modbus.Parity]uint{
		modbus.NoParity: simonvetter.PARITY_NONE, modbus.EvenParity: simonvetter.PARITY_EVEN, modbus.OddParity: simonvetter.PARITY_ODD,
	}
	client, err := simonvetter.NewClient(&simonvetter.ClientConfiguration{
		URL: "rtu://" + j.Path, Speed: uint(j.Line.Baud), DataBits: uint(j.Line.DataBits),
		Parity: parity[j.Line.Parity], StopBits: uint(j.Line.StopBits), Timeout: j.Timeout,
	})
	if err != nil {
		return nil, err
	}
	return &simonvetterStack{client}, client.Open()
}

func (s *simonvetterStack) read(unit modbus.UnitID, address, count uint16) ([]byte, error) {
	if err := s.client.SetUnitId(uint8(unit)); err != nil {
		return nil, err
	}
	words, err := s.client.ReadRegisters(address, count, simonvetter.HOLDING_REGISTER)
	if err != nil {
		return nil, err
	}
	data := make([]byte, 0, 2*len(words))
	for _, w := range words {
		data = binary.BigEndian.AppendUint16(data, w)
	}
	return data, nil
}
