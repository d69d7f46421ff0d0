// Package modbus is the vocabulary of the field side: units, functions,
// requests, faults, serial line timing and the checksum, and the client that
// turns a request into an exchange. Frames are packed and replies checked by
// goburrow/modbus; bytes are moved by a Transport from drivers/rtu,
// drivers/ascii or drivers/tcp. It knows nothing of ports, buses or points.
package modbus
