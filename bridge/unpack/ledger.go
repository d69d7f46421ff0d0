package unpack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sluice/bridge/envelope"
	"sluice/gateway/durable"
)

const ledgerDir = "sources"

// Bounds of what is remembered. What is older comes again if it is sent again: a
// gateway would have to restart so often, or lose so much here and there, while its
// oldest messages are not acknowledged.
const (
	maxEpochs  = 64 // of a source
	maxRuns    = 1024
	maxLedgers = 10_000 // in memory
)

// ledger is what was handed on of a source.
type ledger struct {
	source envelope.Source
	file   string
	Epochs []epoch `json:"epochs"` // the one used last comes last
}

type epoch struct {
	Epoch uint64 `json:"epoch,string"`
	Done  []run  `json:"done"` // ascending, with gaps between them
}

// run is the numbers from the first to the last.
type run [2]uint64

// ledger returns that of a source.
func (u *Unpacker) ledger(s envelope.Source) (*ledger, error) {
	if l := u.ledgers[s]; l != nil {
		return l, nil
	}
	name := fmt.Sprintf("%s.%s.%s.json", s.Gateway, s.Bridge, s.Lane) // names hold no dots
	l := &ledger{file: filepath.Join(u.cfg.Dir, ledgerDir, name), source: s}
	text, err := os.ReadFile(l.file)
	if errors.Is(err, fs.ErrNotExist) {
		u.log.Info("new source", "source", s)
	} else if err == nil {
		err = json.Unmarshal(text, l)
		if err != nil {
			err = fmt.Errorf("%s is damaged, and would have to be removed, so that messages may come again: %w", l.file, err)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(u.ledgers) == maxLedgers {
		clear(u.ledgers)
	}
	u.ledgers[s] = l
	return l, nil
}

// done takes note, on disk, of messages that the sink has.
func (u *Unpacker) done(e *envelope.Envelope, l *ledger, numbers []uint64) error {
	l.add(e.Epoch, numbers)
	return u.save(l)
}

// save writes l. If that fails, what is on disk counts.
func (u *Unpacker) save(l *ledger) error {
	text, err := json.Marshal(l)
	if err == nil {
		err = durable.WriteFile(l.file, text, 0o640)
	}
	if err != nil {
		delete(u.ledgers, l.source)
	}
	return err
}

// epoch returns the runs of an epoch, nil: it is not known.
func (l *ledger) epoch(id uint64) *epoch {
	i := slices.IndexFunc(l.Epochs, func(e epoch) bool { return e.Epoch == id })
	if i < 0 {
		return nil
	}
	return &l.Epochs[i]
}

// missing returns the numbers in e that were not handed on.
func (l *ledger) missing(e *envelope.Envelope) []uint64 {
	known := l.epoch(e.Epoch)
	var numbers []uint64
	for n := e.First; n < e.End(); n++ {
		if known == nil || !known.has(n) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

func (e *epoch) has(n uint64) bool {
	i, exact := slices.BinarySearchFunc(e.Done, n, func(r run, n uint64) int {
		switch {
		case r[1] < n:
			return -1
		case r[0] > n:
			return 1
		}
		return 0
	})
	return exact && i < len(e.Done)
}

// add takes note of numbers that were handed on.
func (l *ledger) add(id uint64, numbers []uint64) {
	known := epoch{Epoch: id}
	if e := l.epoch(id); e != nil {
		known = *e
		l.Epochs = slices.DeleteFunc(l.Epochs, func(e epoch) bool { return e.Epoch == id })
	}
	for _, n := range numbers {
		known.add(n)
	}
	l.Epochs = append(l.Epochs, known)
	l.Epochs = l.Epochs[max(len(l.Epochs)-maxEpochs, 0):]
}

func (e *epoch) add(n uint64) {
	i := slices.IndexFunc(e.Done, func(r run) bool { return r[1]+1 >= n })
	switch {
	case i < 0:
		e.Done = append(e.Done, run{n, n})
	case n+1 < e.Done[i][0]:
		e.Done = slices.Insert(e.Done, i, run{n, n})
	default:
		e.Done[i][0], e.Done[i][1] = min(e.Done[i][0], n), max(e.Done[i][1], n)
		if i+1 < len(e.Done) && e.Done[i][1]+1 >= e.Done[i+1][0] {
			e.Done[i][1] = e.Done[i+1][1]
			e.Done = slices.Delete(e.Done, i+1, i+2)
		}
	}
	e.Done = e.Done[max(len(e.Done)-maxRuns, 0):]
}

// forget takes numbers out again.
func (l *ledger) forget(id uint64, numbers []uint64) {
	e := l.epoch(id)
	if e == nil {
		return
	}
	for _, n := range numbers {
		e.remove(n)
	}
}

func (e *epoch) remove(n uint64) {
	var runs []run
	for _, r := range e.Done {
		switch {
		case n < r[0] || n > r[1]:
			runs = append(runs, r)
			continue
		case n > r[0]:
			runs = append(runs, run{r[0], n - 1})
		}
		if n < r[1] {
			runs = append(runs, run{n + 1, r[1]})
		}
	}
	e.Done = runs
}
