package main

import (
	"context"
	"os"
	"path/filepath"
)

// contest is who takes part, and how their processes are started.
type contest struct {
	stacks []string
	before []string // words before every command
	self   string
	c      string // the program of libmodbus
}

// newContest compiles what has to be; leave removes it.
func newContest(ctx context.Context, o options) (c *contest, leave func(), err error) {
	c = &contest{}
	for _, s := range stacks {
		if o.wants(s) {
			c.stacks = append(c.stacks, s)
		}
	}
	if c.self, err = os.Executable(); err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return nil, nil, err
	}
	leave = func() { os.RemoveAll(dir) }
	c.c = filepath.Join(dir, libmodbus)
	if o.wants(libmodbus) {
		if err := compileLibmodbus(ctx, c.c); err != nil {
			leave()
			return nil, nil, err
		}
	}
	c.before = isolate()
	return c, leave, nil
}

// measure runs one stack.
func (c *contest) measure(ctx context.Context, on conditions, stack string) (sample, error) {
	program := c.self
	if stack == libmodbus {
		program = c.c
	}
	command := append(append([]string(nil), c.before...), program)
	return on.measure(ctx, command, stack)
}
