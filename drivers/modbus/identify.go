package modbus

import (
	"bytes"
	"errors"
	"fmt"
)

// The objects that IdentificationRequest asks for (Modbus Application Protocol
// V1.1b3, section 6.21).
const (
	BasicIdentification    byte = 1 // vendor, product code, revision
	RegularIdentification  byte = 2 // and URL, product and model name, application
	ExtendedIdentification byte = 3 // and what the vendor adds from 0x80 on
	OneObject              byte = 4
)

// Identification is a reply to IdentificationRequest.
type Identification struct {
	Conformity byte // what the device knows of: 1 to 3 as above, with 0x80 also OneObject
	More       bool // the objects did not fit: ask again from Next on
	Next       byte
	Objects    []Object
}

// Object is a part of an identification. IDs 0 to 6 are vendor name, product
// code, revision, vendor URL, product name, model name and application name.
type Object struct {
	ID    byte
	Value []byte // ASCII below 0x80
}

// IdentificationRequest asks for the objects of a kind from one on; 0 is the
// first.
func IdentificationRequest(u UnitID, kind, object byte) Request {
	return Request{Unit: u, Function: EncapsulatedInterface, Data: []byte{identification, kind, object}}
}

var errNoIdentification = errors.New("no device identification")

// ParseIdentification reads what Do returned for an IdentificationRequest.
func ParseIdentification(data []byte) (Identification, error) {
	if len(data) < 6 || data[0] != identification {
		return Identification{}, errNoIdentification
	}
	if size := measureIdentification(data); size != len(data) {
		return Identification{}, fmt.Errorf("%w: %d objects do not fill %d bytes", errNoIdentification, data[5], len(data))
	}
	id := Identification{Conformity: data[2], More: data[3] != 0, Next: data[4]}
	for rest := data[6:]; len(rest) > 0; rest = rest[2+int(rest[1]):] {
		id.Objects = append(id.Objects, Object{ID: rest[0], Value: bytes.Clone(rest[2 : 2+int(rest[1])])})
	}
	return id, nil
}
