package scan

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice/drivers/modbus"
)

// Identity is what a unit says that it is; most say nothing.
type Identity struct {
	Objects []modbus.Object // by function 43/14: vendor, product, revision and more
	Server  []byte          // by function 17: as its maker likes, often with text in it
}

// maxPages bounds the requests of one identification.
const maxPages = 4

// illegalValue is the exception to a kind of objects that a unit does not have.
const illegalValue = 3

// A Namer tells what a unit may be an example of, the likeliest first, and may ask
// it for what it has to know.
type Namer func(u Unit, ask Ask) []string

// Ask reads from the unit in question, by any function that changes nothing; the
// request's own unit does not matter. After a request that was not answered there
// are no more, since a late reply could be taken for the next one's, nor after
// maxAsked of them: then the error is ErrNoMore.
type Ask func(modbus.Request) ([]byte, error)

// maxAsked is how many requests may be spent on the name of one unit.
const maxAsked = 48

// ErrNoMore is the error of an Ask that was not sent.
var ErrNoMore = errors.New("the unit is asked no more")

// identify fills in what a unit says of itself, and the names it may have.
func (s *session) identify(u *Unit) error {
	objects, err := s.objects(u.ID)
	if err == nil {
		u.Identity.Objects = objects
		u.Identity.Server, err = s.do(u.ID, modbus.Request{Function: modbus.ReportServerID}, s.Timeout)
	}
	if err = fatal(err); err != nil || s.Name == nil {
		return err
	}
	u.Names = s.Name(*u, s.asker(u.ID))
	return nil
}

// fatal is the error that ends the scan: none that is about the unit.
func fatal(err error) error {
	if modbus.FaultOf(err) == modbus.None || modbus.FaultOf(err) == modbus.Medium {
		return err
	}
	return nil
}

// objects reads the pages of an identification; what a unit does not understand
// leaves none. A unit that knows only the basic objects should answer with these
// whatever it is asked for, and some refuse instead.
func (s *session) objects(id modbus.UnitID) (all []modbus.Object, err error) {
	kind, next := modbus.RegularIdentification, byte(0)
	for range maxPages {
		data, err := s.do(id, modbus.IdentificationRequest(id, kind, next), s.Timeout)
		if e, ok := errors.AsType[*modbus.Error](err); ok && e.Exception == illegalValue && kind != modbus.BasicIdentification {
			kind = modbus.BasicIdentification
			continue
		}
		if err != nil {
			return all, fatal(err)
		}
		page, err := modbus.ParseIdentification(data)
		if err != nil {
			return all, nil
		}
		all = append(all, page.Objects...)
		if !page.More || page.Next <= next {
			break
		}
		next = page.Next
	}
	return all, nil
}

// asker is the Ask of a unit.
func (s *session) asker(id modbus.UnitID) Ask {
	left := maxAsked
	return func(req modbus.Request) ([]byte, error) {
		if !reads(req) || left == 0 {
			return nil, ErrNoMore
		}
		left--
		data, err := s.do(id, req, s.Timeout)
		switch modbus.FaultOf(err) {
		case modbus.Silent, modbus.Frame:
			left = 0
		}
		return data, err
	}
}

// reads reports whether a request changes nothing.
func reads(req modbus.Request) bool {
	switch req.Function {
	case modbus.ReadCoils, modbus.ReadDiscreteInputs, modbus.ReadHoldingRegisters, modbus.ReadInputRegisters, modbus.ReportServerID:
		return true
	case modbus.EncapsulatedInterface: // of whose kinds one can write
		return bytes.HasPrefix(req.Data, modbus.IdentificationRequest(0, 0, 0).Data[:1])
	}
	return false
}

// String is the identity for people; empty when there is none.
func (i Identity) String() string {
	var parts []string
	for _, o := range i.Objects {
		if text := printable(o.Value, 1); text != "" && o.ID < 0x80 {
			parts = append(parts, text)
		}
	}
	if len(parts) > 0 || len(i.Server) == 0 {
		return strings.Join(parts, " ")
	}
	if text := printable(i.Server, 2); text != "" {
		return text
	}
	return fmt.Sprintf("id %x", i.Server)
}

// printable is the text in b: its words of at least so many characters, which
// control characters and bytes beyond ASCII separate too.
func printable(b []byte, least int) string {
	words := strings.FieldsFunc(string(b), func(r rune) bool { return r <= ' ' || r > '~' })
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return len(w) < least }), " ")
}
