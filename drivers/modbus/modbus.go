// Package modbus is the vocabulary of the field side: units, functions,
// requests, faults, serial line timing and the checksum, and the client that
// turns a request into an exchange. What goes into a request and comes out of a
// reply is the business of goburrow/modbus, and so are ASCII and TCP frames; RTU
// frames are packed here, and the shape of every reply is checked. Bytes are moved
// by a Transport from drivers/rtu, drivers/ascii or drivers/tcp. The package knows
// nothing of ports, buses or points.
package modbus
