package durable

import (
	"errors"
	"os"
	"syscall"
)

// datasync is fdatasync: data and size, but not the times of the file, which
// would cost a journal commit each time.
func datasync(f *os.File) error {
	return control(f, func(fd int) error { return uninterrupted(func() error { return syscall.Fdatasync(fd) }) })
}

// allocate gives f size bytes of real blocks: by fallocate, or by writing zeros
// where the filesystem does not know it.
func allocate(f *os.File, size int64) error {
	err := control(f, func(fd int) error {
		return uninterrupted(func() error { return syscall.Fallocate(fd, 0, 0, size) })
	})
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return writeZeros(f, size)
	}
	return err
}

func writeZeros(f *os.File, size int64) error {
	zeros := make([]byte, 64<<10)
	for off := int64(0); off < size; off += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(size-off, int64(len(zeros)))], off); err != nil {
			return err
		}
	}
	return datasync(f) // a filesystem may choose, and miss, the blocks only now
}

func uninterrupted(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// control runs op on the descriptor of f, which stays open meanwhile.
func control(f *os.File, op func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var opErr error
	if err := raw.Control(func(fd uintptr) { opErr = op(int(fd)) }); err != nil {
		return err
	}
	return opErr
}
