package unpack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sluice/gateway/durable"
)

const (
	asideDir = "aside"
	maxAside = 1000 // files
)

// journal is the envelope that is being handed on.
type journal struct {
	Payload []byte   `json:"payload"`
	Todo    []uint64 `json:"todo"` // what was missing when it came
}

func (u *Unpacker) openJournal(payload []byte, todo []uint64) error {
	text, err := json.Marshal(journal{payload, todo})
	if err != nil {
		return err
	}
	return durable.WriteFile(u.journal, text, 0o640)
}

// closeJournal may be undone by a power cut: then all of the envelope is in the
// ledger, and only released again.
func (u *Unpacker) closeJournal() error { return os.Remove(u.journal) }

// readJournal returns nil when nothing is under way.
func (u *Unpacker) readJournal() (*journal, error) {
	text, err := os.ReadFile(u.journal)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var j journal
	if err == nil {
		err = json.Unmarshal(text, &j)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", u.journal, err)
	}
	return &j, nil
}

// sink connects. A session that this state knows nothing of is ended first: there
// may be identifiers in use in it.
func (u *Unpacker) sink(ctx context.Context) (s Sink, kept bool, err error) {
	file := filepath.Join(u.cfg.Dir, "peer")
	known, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	clean := string(known) != u.cfg.Peer
	s, kept, err = u.cfg.Sink(ctx, clean)
	if err != nil || !clean {
		return s, kept, err
	}
	if err := durable.WriteFile(file, []byte(u.cfg.Peer), 0o640); err != nil {
		s.Close()
		return nil, false, err
	}
	return s, false, nil
}

// setAside keeps what nobody takes, so that the rest can go on.
func (u *Unpacker) setAside(kind string, payload []byte, why error) error {
	dir := filepath.Join(u.cfg.Dir, asideDir)
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(files) >= maxAside {
		return fmt.Errorf("%s is full of what nobody takes: look at it and empty it", dir)
	}
	name := time.Now().UTC().Format("20060102T150405.000000000") + "." + kind
	if err := durable.WriteFile(filepath.Join(dir, name), payload, 0o640); err != nil {
		return err
	}
	u.count(func(s *Stats) { s.Aside++ })
	u.log.Error("set aside what nobody takes", "file", name, "why", why)
	return nil
}
