//go:build !linux

package sim

import (
	"context"
	"errors"
	"time"
)

// PTY is a pseudo-terminal; only Linux has one that OpenPTY knows.
type PTY struct{}

// OpenPTY returns errors.ErrUnsupported.
func OpenPTY() (*PTY, error) { return nil, errors.ErrUnsupported }

// Path is empty.
func (*PTY) Path() string { return "" }

// Unplug does nothing.
func (*PTY) Unplug() {}

func (*PTY) acquire(context.Context) (func(), error) { return nil, errors.ErrUnsupported }

func (*PTY) await(context.Context, time.Duration) ([]byte, error) { return nil, errors.ErrUnsupported }

func (*PTY) deliver([]byte) {}
