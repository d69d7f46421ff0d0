package gateway

import (
	"errors"
	"fmt"
	"path/filepath"

	"sluice/broker/journal"
	"sluice/broker/retain"
	"sluice/gateway/config"
	"sluice/gateway/durable"
)

// openRetained opens the store of the LAN's retained messages. Where the disk does
// not let it, they are in memory only: that stops no reading.
func (g *Gateway) openRetained(stateDir string) error {
	if stateDir == "" {
		return nil
	}
	s, err := retain.Open(filepath.Join(stateDir, "retained"), retain.Config{}, g.log.With("store", "retained"))
	switch {
	case errors.Is(err, durable.ErrLocked), errors.Is(err, durable.ErrVersion):
		return fmt.Errorf("retained messages of the local broker: %w", err)
	case err != nil:
		g.log.Error("retained messages of the local broker will not survive this run", "err", err)
	default:
		g.retained = s
	}
	return nil
}

// openSessions opens the journal of the LAN's persistent sessions, likewise.
func (g *Gateway) openSessions(c config.Sessions, stateDir string) error {
	if stateDir == "" || !c.Store {
		return nil
	}
	cfg := journal.Config{MaxBytes: c.Bytes, CommitDelay: c.CommitDelay}
	j, err := journal.Open(filepath.Join(stateDir, "sessions"), cfg, g.log.With("store", "sessions"))
	switch {
	case errors.Is(err, durable.ErrLocked), errors.Is(err, durable.ErrVersion):
		return fmt.Errorf("sessions of the local broker: %w", err)
	case err != nil:
		g.log.Error("sessions of the local broker will not survive this run", "err", err)
	default:
		g.sessions = j
	}
	return nil
}
