// Package durabletest is a disk in memory that is as bad as FORMAT.md allows:
// it forgets what was not synced, in parts, and fails when it is told to. It is
// for the tests of gateway/durable and of what stands on it.
package durabletest

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"

	"sluice/gateway/durable"
)

// ErrDead is returned to a process that was killed or has no power.
var ErrDead = errors.New("durabletest: process is dead")

// Disk is one directory. Its faults may be changed at any time.
type Disk struct {
	mu     sync.Mutex
	rand   *rand.Rand
	faults Faults
	left   int // operations until the power fails; 0: it does not

	cached  map[string]*inode // what processes see
	medium  map[string]*inode // what a power cut leaves
	renames []func(map[string]*inode)

	process *process
	open    int
	stats   Stats
}

// Faults are what goes wrong with a disk under power. A nil function never fails.
type Faults struct {
	Space  int64                             // bytes in all; 0 is no bound
	Sync   func(name string) bool            // a data sync that fails and drops pages, the Linux way
	Write  func(name string) bool            // a write that stops half-way
	Read   func(name string, off int64) bool // EIO
	Names  func() bool                       // a rename, removal or directory sync that fails
	Before func(op, name string)             // called before each read, write and data sync, without locks
}

// Stats is what the disk saw.
type Stats struct {
	Writes, Syncs, Written int
	MaxOpen                int      // files open at once
	Misuse                 []string // writes outside what was reserved, closed files used
}

// New returns an empty disk; seed decides what its accidents leave.
func New(seed uint64) *Disk {
	return &Disk{
		rand:   rand.New(rand.NewPCG(seed, 1)),
		cached: map[string]*inode{},
		medium: map[string]*inode{},
	}
}

// Start returns the directory for a new process. The one before must be dead or
// have closed it.
func (d *Disk) Start() durable.FS {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.process != nil {
		d.misuse("a second process was started")
	}
	d.process, d.open = &process{disk: d}, 0
	return d.process
}

// SetFaults replaces the faults.
func (d *Disk) SetFaults(f Faults) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = f
}

// CutAfter lets the power fail during the n-th operation that changes something.
func (d *Disk) CutAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = n
}

// Alive reports whether there is a process, with power.
func (d *Disk) Alive() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.process != nil
}

// Kill ends the process. The page cache stays.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.process = nil
}

// Cut takes the power away and gives it back. Of the name changes since the last
// directory sync the first few survive, of the unsynced sectors any.
func (d *Disk) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.process, d.left = nil, 0
	for _, change := range d.renames[:d.rand.IntN(len(d.renames)+1)] {
		change(d.medium)
	}
	d.renames = nil
	d.cached = map[string]*inode{}
	for _, name := range sortedNames(d.medium) { // in order, so that the seed decides everything
		f := d.medium[name]
		f.cut(d.rand)
		d.cached[name] = f
	}
}

// Stats returns what the disk saw so far.
func (d *Disk) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats
}

// Names returns the names of the files, in order.
func (d *Disk) Names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return sortedNames(d.cached)
}

// Edit damages a file: edit gets its content and returns what replaces it.
func (d *Disk) Edit(name string, edit func([]byte) []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.cached[name]
	f.cache = edit(f.cache)
	f.medium, f.dirty = slices.Clone(f.cache), nil
}

// Delete takes a file away.
func (d *Disk) Delete(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.cached, name)
	delete(d.medium, name)
}

// tick counts an operation; false means that it does not happen.
func (d *Disk) tick(p *process) bool {
	if d.process != p {
		return false
	}
	if d.left > 0 {
		if d.left--; d.left == 0 {
			d.process = nil
		}
	}
	return true
}

// rename makes a name change now in the cache, and on the medium some day.
func (d *Disk) rename(change func(map[string]*inode)) {
	change(d.cached)
	d.renames = append(d.renames, change)
}

func (d *Disk) used() int64 {
	var n int64
	for _, f := range d.cached {
		n += int64(len(f.cache))
	}
	return n
}

func (d *Disk) misuse(format string, args ...any) {
	d.stats.Misuse = append(d.stats.Misuse, fmt.Sprintf(format, args...))
}

// process is the directory as one process has it open.
type process struct{ disk *Disk }

func (p *process) Open(name string) (durable.File, error) {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	if p.disk.process != p {
		return nil, ErrDead
	}
	f, ok := p.disk.cached[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return p.handle(name, f), nil
}

func (p *process) Create(name string, size int64) (durable.File, error) {
	d := p.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.tick(p) {
		return nil, ErrDead
	}
	if d.faults.Space > 0 && d.used()+size > d.faults.Space {
		return nil, &fs.PathError{Op: "fallocate", Path: name, Err: syscall.ENOSPC}
	}
	f := &inode{cache: make([]byte, size)}
	d.rename(func(m map[string]*inode) { m[name] = f })
	return p.handle(name, f), nil
}

func (p *process) Rename(from, to string) error {
	return p.change("rename", from, func(m map[string]*inode) {
		if f, ok := m[from]; ok {
			delete(m, from)
			m[to] = f
		}
	})
}

func (p *process) Remove(name string) error {
	return p.change("remove", name, func(m map[string]*inode) { delete(m, name) })
}

func (p *process) change(op, name string, change func(map[string]*inode)) error {
	d := p.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.tick(p) {
		return ErrDead
	}
	if _, ok := d.cached[name]; !ok {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	if d.faults.Names != nil && d.faults.Names() {
		return &fs.PathError{Op: op, Path: name, Err: syscall.EIO}
	}
	d.rename(change)
	return nil
}

func (p *process) List() ([]string, error) {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	if p.disk.process != p {
		return nil, ErrDead
	}
	return sortedNames(p.disk.cached), nil
}

func (p *process) Sync() error {
	d := p.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.tick(p) || d.process != p {
		return ErrDead
	}
	if d.faults.Names != nil && d.faults.Names() {
		return &fs.PathError{Op: "sync", Path: ".", Err: syscall.EIO}
	}
	for _, change := range d.renames {
		change(d.medium)
	}
	d.renames = nil
	return nil
}

func (p *process) Close() error {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	if p.disk.process != p {
		return ErrDead
	}
	if p.disk.open > 0 {
		p.disk.misuse("%d files left open", p.disk.open)
	}
	p.disk.process = nil
	return nil
}

func sortedNames(m map[string]*inode) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
