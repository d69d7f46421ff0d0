// Package service tells the service manager how the gateway does: systemd, or
// another that speaks its protocol (sd_notify(3)). Package gateway says what; the
// package knows the words only. Where no service manager listens nothing is said.
package service

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Manager is the service manager that started this process, if there is one; nil
// is none. Its methods may be called from any goroutine.
type Manager struct {
	log      *slog.Logger
	patience time.Duration

	mu       sync.Mutex // guards what follows, and the order in which things are said
	ready    bool
	stopping bool
	status   string
	failing  bool
}

// New returns the service manager that the environment names: NOTIFY_SOCKET, and
// WATCHDOG_USEC with WATCHDOG_PID.
func New(log *slog.Logger) (*Manager, error) {
	patience, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return nil, fmt.Errorf("watchdog of the service manager: %w", err)
	}
	return &Manager{log: log, patience: patience}, nil
}

// Patience is how long the service manager waits for Alive before it ends the
// process; 0: it waits for ever.
func (m *Manager) Patience() time.Duration {
	if m == nil {
		return 0
	}
	return m.patience
}

// Ready says that everything runs.
func (m *Manager) Ready() {
	m.tell(func() string {
		m.ready = true
		return daemon.SdNotifyReady
	})
}

// Reloading says that another configuration is being put to work, until done is
// called. A gateway that is not ready yet, or not any more, does not say so.
func (m *Manager) Reloading() (done func()) {
	if m == nil {
		return func() {}
	}
	m.tell(func() string {
		if !m.ready {
			return ""
		}
		return daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec()
	})
	return func() {
		m.tell(func() string {
			if !m.ready || m.stopping {
				return ""
			}
			return daemon.SdNotifyReady
		})
	}
}

// Stopping says that the process is about to end.
func (m *Manager) Stopping() {
	m.tell(func() string {
		m.stopping = true
		return daemon.SdNotifyStopping
	})
}

// Alive says that every part makes progress.
func (m *Manager) Alive() {
	m.tell(func() string {
		if m.patience == 0 {
			return ""
		}
		return daemon.SdNotifyWatchdog
	})
}

// Status says in a line how the gateway does, if that has changed.
func (m *Manager) Status(text string) {
	m.tell(func() string {
		if m.status == text {
			return ""
		}
		m.status = text
		return "STATUS=" + text
	})
}

// Hopeless asks to be replaced at once, as after a watchdog that was not fed.
func (m *Manager) Hopeless() { m.tell(func() string { return "WATCHDOG=trigger" }) }

// tell sends what next returns, unless that is nothing. One that cannot be sent is
// in the log, the first of several.
func (m *Manager) tell(next func() string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	text := next()
	if text == "" {
		return
	}
	_, err := daemon.SdNotify(false, text)
	if err != nil && !m.failing {
		m.log.Warn("the service manager does not hear", "error", err)
	}
	m.failing = err != nil
}
