// Package control lets other programs on this machine speak to a gateway that runs:
// HTTP with JSON over a unix socket, whose permissions say who may. `sluice status`,
// `sluice reload` and the tools that need a bus which the gateway owns use Client;
// the gateway serves it. The package knows requests and what comes of them, not how.
package control

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"sluice/drivers/modbus"
	"sluice/gateway/status"
)

// SocketName is that of the socket in the state folder.
const SocketName = "control.sock"

// Path is where the socket of a gateway is.
func Path(stateDir string) string { return filepath.Join(stateDir, SocketName) }

// Gateway is who is spoken to.
type Gateway interface {
	// Status asks every part how it does.
	Status() status.Snapshot

	// Events returns the latest events behind the one numbered after.
	Events(after uint64) []status.Event

	// Reread reads the site file again and puts it to work.
	Reread(ctx context.Context) status.Reload

	// Exchange performs one exchange on a bus before all polls, or in turn with
	// them. Its errors are those of modbus.Client, ErrUnknown, or the cause of ctx.
	Exchange(ctx context.Context, bus string, inTurn bool, req modbus.Request, t modbus.Timing) ([]byte, error)

	// Trace writes what passes the port of a bus as a transcript until ctx ends or
	// w fails.
	Trace(ctx context.Context, bus string, w io.Writer) error

	// Drop gives up the messages of a lane, or the dead letters, numbered below
	// before; 0: all. It returns how many.
	Drop(bridge, lane string, before uint64) (uint64, error)

	// Resend puts dead letters back into the queue: the one of that number, or all
	// for 0. It returns how many.
	Resend(ctx context.Context, bridge string, number uint64) (int, error)
}

// exchange is the body of a request for an exchange.
type exchange struct {
	InTurn   bool            `json:"in_turn,omitempty"`
	Unit     modbus.UnitID   `json:"unit"`
	Function modbus.Function `json:"function"`
	Address  uint16          `json:"address"`
	Count    uint16          `json:"count"`
	Data     []byte          `json:"data,omitempty"`
	Timeout  time.Duration   `json:"timeout_ns"`
	Gap      time.Duration   `json:"gap_ns,omitempty"`
	NoCanary bool            `json:"no_canary,omitempty"`
}

// answer is what comes back of one.
type answer struct {
	Data []byte `json:"data"`
}

// count is how many messages something was done to.
type count struct {
	Messages uint64 `json:"messages"`
}

// failure is the body of every answer that is none.
type failure struct {
	Error     string        `json:"error"`
	Unknown   bool          `json:"unknown,omitempty"` // there is nothing of that name
	Fault     string        `json:"fault,omitempty"`   // of an exchange, and what comes with it
	Exception byte          `json:"exception,omitempty"`
	Unit      modbus.UnitID `json:"unit,omitempty"`
}
