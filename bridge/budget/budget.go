// Package budget counts what a bridge spends of the volume it may use in a month,
// over restarts. The bridge asks it what may still be sent, and package upstream
// tells it of every byte; it knows neither.
package budget

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sluice/gateway/durable"
)

// Level is how far a budget is used up.
type Level int

const (
	Ample Level = iota // less than 70 %
	Noted              // from 70 %: it is in the log
	Tight              // from 90 %: nothing for bulk any more
	Spent              // from 100 %: alarms only
)

// String names a level as logs do.
func (l Level) String() string { return [...]string{"ample", "noted", "tight", "spent"}[l] }

// Config describes a budget.
type Config struct {
	File  string // where it is kept; the folder is made if it is missing
	Month int64  // bytes
	Day   int    // of the month on which the next one begins, 1 to 28, UTC
}

const (
	saveAfter = 10 * time.Minute // a crash forgets what was spent since
	saveShare = 1000             // part of the budget after which it is saved sooner
)

// Budget is one bridge's account. Its methods may be called from any goroutine.
type Budget struct {
	cfg Config
	log *slog.Logger

	mu      sync.Mutex
	account account
	saved   account
	at      time.Time // of saved
	level   Level
}

// account is the file.
type account struct {
	Since string `json:"since"` // the day on which the month began
	Bytes int64  `json:"bytes"`
}

// Open reads what was spent this month. A file that makes no sense counts as none,
// which is logged.
func Open(cfg Config, log *slog.Logger) (*Budget, error) {
	b := &Budget{cfg: cfg, log: log, at: time.Now()}
	text, err := os.ReadFile(cfg.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read data budget: %w", err)
	default:
		if err := json.Unmarshal(text, &b.account); err != nil || !isDay(b.account.Since) || b.account.Bytes < 0 {
			log.Warn("the data budget begins anew: its file makes no sense", "file", cfg.File)
			b.account = account{}
		}
	}
	b.saved = b.account
	b.turn(time.Now())
	b.judge()
	return b, nil
}

func isDay(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// began returns the day on which the month of t began.
func (b *Budget) began(t time.Time) string {
	t = t.UTC()
	y, m, d := t.Date()
	if d < b.cfg.Day {
		m--
	}
	return time.Date(y, m, b.cfg.Day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

// turn begins a new month when it is time. A clock that was set back does not, so
// that one that begins in 1970 does not take what was spent away.
func (b *Budget) turn(now time.Time) {
	if since := b.began(now); since > b.account.Since {
		b.account = account{Since: since}
	}
}

// Spend takes note of n bytes.
func (b *Budget) Spend(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.turn(now)
	b.account.Bytes += n
	b.judge()
	if fresh := b.account.Bytes - b.saved.Bytes; fresh > b.cfg.Month/saveShare && now.Sub(b.at) > time.Minute || now.Sub(b.at) > saveAfter {
		b.save(now)
	}
}

// judge logs a level when it is new.
func (b *Budget) judge() {
	level := Ample
	switch used := b.account.Bytes; {
	case used >= b.cfg.Month:
		level = Spent
	case used >= b.cfg.Month/10*9:
		level = Tight
	case used >= b.cfg.Month/10*7:
		level = Noted
	}
	if level == b.level {
		return
	}
	b.level = level
	say := b.log.Warn
	if level == Ample {
		say = b.log.Info
	}
	say("data budget", "level", level.String(), "bytes", b.account.Bytes, "month", b.cfg.Month, "since", b.account.Since)
}

// save keeps the account; a failure is logged, and tried again later.
func (b *Budget) save(now time.Time) {
	b.at = now
	if b.account == b.saved {
		return
	}
	text, err := json.Marshal(b.account)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(b.cfg.File), 0o750)
	}
	if err == nil {
		err = durable.WriteFile(b.cfg.File, append(text, '\n'), 0o640)
	}
	if err != nil {
		b.log.Warn("the data budget could not be saved", "err", err)
		return
	}
	b.saved = b.account
}

// Level returns how far the budget of this month is used up.
func (b *Budget) Level() Level {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(time.Now())
	b.judge()
	return b.level
}

// Used returns the bytes spent this month, and how many there are.
func (b *Budget) Used() (bytes, month int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(time.Now())
	return b.account.Bytes, b.cfg.Month
}

// Close saves the account.
func (b *Budget) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.save(time.Now())
}
