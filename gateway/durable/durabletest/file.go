package durabletest

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"syscall"

	"sluice/gateway/durable"
)

const sector = 512

// inode is a file: what processes read, and what is on the medium.
type inode struct {
	cache  []byte
	medium []byte // shorter than cache when the size was never synced
	dirty  []extent
}

// extent is a write, or what is left of it, that was not synced.
type extent struct {
	off  int64
	data []byte
}

// sectors splits a write into what can be torn apart.
func sectors(off int64, data []byte) []extent {
	var parts []extent
	for len(data) > 0 {
		n := min(int64(len(data)), sector-off%sector)
		parts = append(parts, extent{off, data[:n]})
		off, data = off+n, data[n:]
	}
	return parts
}

func (f *inode) persist(e extent) {
	f.extend()
	copy(f.medium[e.off:], e.data)
}

// extend brings the size to the medium.
func (f *inode) extend() {
	if n := len(f.cache) - len(f.medium); n > 0 {
		f.medium = append(f.medium, make([]byte, n)...)
	}
}

// cut leaves what a power cut leaves.
func (f *inode) cut(r *rand.Rand) {
	if r.IntN(2) == 0 {
		f.extend()
	}
	keep := r.IntN(4) // none, all, or about half of the sectors
	for _, e := range f.dirty {
		if keep == 1 || (keep > 1 && r.IntN(2) == 0) {
			f.persist(e)
		}
	}
	f.dirty = nil
	f.cache = slices.Clone(f.medium)
}

// handle is an open file.
type handle struct {
	process *process
	name    string
	file    *inode
	closed  bool
}

func (p *process) handle(name string, f *inode) durable.File {
	d := p.disk
	d.open++
	d.stats.MaxOpen = max(d.stats.MaxOpen, d.open)
	return &handle{process: p, name: name, file: f}
}

func (h *handle) ReadAt(b []byte, off int64) (int, error) {
	d := h.process.disk
	h.before("read")
	d.mu.Lock()
	defer d.mu.Unlock()
	if !h.usable() {
		return 0, ErrDead
	}
	if d.faults.Read != nil && d.faults.Read(h.name, off) {
		return 0, h.error("read")
	}
	if off >= int64(len(h.file.cache)) {
		return 0, io.EOF
	}
	n := copy(b, h.file.cache[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(b []byte, off int64) (int, error) {
	d := h.process.disk
	h.before("write")
	d.mu.Lock()
	defer d.mu.Unlock()
	if !h.usable() || !d.tick(h.process) {
		return 0, ErrDead
	}
	if off+int64(len(b)) > int64(len(h.file.cache)) {
		d.misuse("write to %s at %d, %d bytes, of %d reserved", h.name, off, len(b), len(h.file.cache))
		return 0, syscall.ENOSPC
	}
	if d.faults.Write != nil && d.faults.Write(h.name) {
		h.write(b[:len(b)/2], off)
		return len(b) / 2, h.error("write")
	}
	h.write(b, off)
	if d.process != h.process { // the power went during this write
		return 0, ErrDead
	}
	return len(b), nil
}

func (h *handle) write(b []byte, off int64) {
	b = slices.Clone(b)
	copy(h.file.cache[off:], b)
	h.file.dirty = append(h.file.dirty, sectors(off, b)...)
	h.process.disk.stats.Writes++
	h.process.disk.stats.Written += len(b)
}

// Sync fails the way Linux does: some of the pages are gone, reads still show
// them, and the next call knows nothing of it.
func (h *handle) Sync() error {
	d := h.process.disk
	h.before("sync")
	d.mu.Lock()
	defer d.mu.Unlock()
	if !h.usable() || !d.tick(h.process) || d.process != h.process {
		return ErrDead
	}
	d.stats.Syncs++
	fails := d.faults.Sync != nil && d.faults.Sync(h.name)
	for _, e := range h.file.dirty {
		if !fails || d.rand.IntN(2) == 0 {
			h.file.persist(e)
		}
	}
	h.file.dirty = nil
	if fails {
		return h.error("fdatasync")
	}
	h.file.extend()
	return nil
}

func (h *handle) Size() (int64, error) {
	h.process.disk.mu.Lock()
	defer h.process.disk.mu.Unlock()
	if !h.usable() {
		return 0, ErrDead
	}
	return int64(len(h.file.cache)), nil
}

func (h *handle) Close() error {
	d := h.process.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if h.closed {
		d.misuse("%s closed twice", h.name)
		return fs.ErrClosed
	}
	h.closed = true
	if d.process == h.process {
		d.open--
	}
	return nil
}

func (h *handle) usable() bool {
	if h.closed {
		h.process.disk.misuse("%s used after close", h.name)
	}
	return h.process.disk.process == h.process
}

func (h *handle) before(op string) {
	h.process.disk.mu.Lock()
	before := h.process.disk.faults.Before
	h.process.disk.mu.Unlock()
	if before != nil {
		before(op, h.name)
	}
}

func (h *handle) error(op string) error {
	return &fs.PathError{Op: op, Path: h.name, Err: syscall.EIO}
}
