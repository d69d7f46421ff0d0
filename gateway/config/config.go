// Package config reads a site file: raw YAML in, one typed and immutable Config
// out, or every mistake at once with its place, cause and fix. Together with
// package gateway it is the only place that knows all parts; the parts
// themselves see only their own section, already checked.
package config

import (
	"net/netip"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/serial"
	"sluice/gateway/publish"
	"sluice/mapping"
)

// Version is the version of the site file format that this build reads.
const Version = 1

// Config is a whole site, checked.
type Config struct {
	Site          string
	Gateway       string // stable id of this gateway: client id upstream, level of its state topic
	Group         string // the fleet it belongs to
	Buses         []Bus
	Devices       []mapping.Device
	Disabled      []mapping.Device // that are not asked
	Status        []string         // on which the state of Devices and then of Disabled is told; empty: that of one is not; nil: none is
	Commands      []Command        // points that may be written by publishing
	Outputs       []publish.Output // how readings become messages; never empty
	HomeAssistant bool             // announce the points to it
	Broker        Broker
	Bridges       []Bridge
	Digest        string // "sha256:" and the first 16 hex digits of the hash of all its files

	Warnings mapping.Problems // what is probably not meant
}

// Bus is one line with devices on it, or one device on the network. One of Port,
// Dial and Listen says where it is.
type Bus struct {
	ID      string
	Port    string         // a serial port, see serial.CheckName
	Dial    string         // host:port of a device, gateway or converter
	Listen  string         // host:port on which a converter dials in
	Allow   []netip.Prefix // who may do that
	Framing modbus.Framing
	Line    modbus.Line   // behind a converter or gateway as far as known; what is planned with
	Gap     time.Duration // silence kept before each request on top of t3.5
	Echo    bool          // the adapter returns what it sends
	// RS485 is how the transceiver of a port is switched; nil if it does so by
	// itself.
	RS485      *serial.RS485
	LowLatency bool             // ask the driver of the port to hand over characters at once
	Settings   mapping.Settings // of its devices, where they have none of their own
}

// Bridge relays topics to a broker upstream.
type Bridge struct {
	ID           string
	URL          string   // mqtt://host:port, mqtts://host:port, ws://host:port/path or wss://host:port/path
	Failover     []string // further ones, tried in this order
	FailBack     time.Duration
	ClientID     string
	Username     string
	UsernameFile string // path; empty: Username says it
	PasswordFile string // path; empty for none
	TLS          TLS
	Proxy        Proxy
	Profile      Profile
	KeepAlive    time.Duration
	Presence     Presence
	Connect      Connect
	Rate         Rate
	Budget       Budget
	Queue        Queue
	Envelope     Envelope
	Send         []Rule
	Receive      []Rule
}

// Rule says which local topics go upstream, and as what; one to receive by, which
// topics upstream come down.
type Rule struct {
	Match   string   // topic filter
	Exclude []string // topic filters
	Strip   string   // taken off the beginning of a topic
	To      string   // topic on the other side; {topic} stands for what is left of the one here
	Lane    string   // of the queue
	Drop    bool     // matching messages stay where they are
	QoS     byte     // 0 or 1; what is sent with 0 is not queued

	StripRetain bool // the other side does not retain matching messages
}
