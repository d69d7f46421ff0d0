package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// dir is the FS of a directory on disk. It holds two descriptors: the root that
// names are resolved in, and the directory itself, to lock and to sync it.
type dir struct {
	path string

	mu   sync.RWMutex // held by whoever opens files: renew changes what follows
	root *os.Root
	self *os.File
}

// openDir makes the directory when it is missing, durably, and locks it.
func openDir(path string) (*dir, error) {
	if err := makeDir(path); err != nil {
		return nil, err
	}
	d, err := visit(path)
	if err != nil {
		return nil, err
	}
	if err := d.lock(); err != nil {
		d.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// visit returns the directory, not locked.
func visit(path string) (*dir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	self, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	return &dir{path: path, root: root, self: self}, nil
}

func (d *dir) lock() error {
	err := control(d.self, func(fd int) error { return syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) })
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w, %s; stop that, or give one of the two another state folder", ErrLocked, lockHolder(d.self))
	}
	return err
}

func (d *dir) unlock() {
	control(d.self, func(fd int) error { return syscall.Flock(fd, syscall.LOCK_UN) })
}

// Open may be called from any goroutine.
func (d *dir) Open(name string) (File, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	f, err := d.root.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, syscall.EROFS) { // what is there can still be read
		return d.openFrozen(name)
	}
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (d *dir) openFrozen(name string) (File, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	return frozenFile{diskFile{f}}, nil
}

func (d *dir) Create(name string, size int64) (File, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return nil, err
	}
	if err := allocate(f, size); err != nil {
		f.Close()
		return nil, errors.Join(fmt.Errorf("reserve %d bytes for %s: %w", size, name, err), d.root.Remove(name))
	}
	return diskFile{f}, nil
}

func (d *dir) Rename(from, to string) error { return d.root.Rename(from, to) }
func (d *dir) Remove(name string) error     { return d.root.Remove(name) }
func (d *dir) Sync() error                  { return d.self.Sync() }

// List asks for names only: of an entry in a Root the library would also look up
// the file, and there may be a thousand.
func (d *dir) List() ([]string, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// Close gives the lock back.
func (d *dir) Close() error { return errors.Join(d.self.Close(), d.root.Close()) }

type diskFile struct{ *os.File }

func (f diskFile) Sync() error { return datasync(f.File) }

func (f diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// frozenFile is a file of a filesystem that has become read-only.
type frozenFile struct{ diskFile }

func (f frozenFile) WriteAt([]byte, int64) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: f.Name(), Err: syscall.EROFS}
}

// makeDir makes path and what is missing above it. The parent is synced even
// when path exists: an earlier process may have died before it could.
func makeDir(path string) error {
	path = filepath.Clean(path)
	parent := filepath.Dir(path)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) && parent != path {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(parent)
}
