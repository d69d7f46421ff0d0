// Package e2e holds the end-to-end tests: scripts over the real binary, with
// foreign Modbus slaves and MQTT brokers as peers that judge it. They need the
// peers that `make peers` installs and the build tag e2e; `make test` runs them.
package e2e
