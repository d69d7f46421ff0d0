package durable

import "io"

// FS is the directory of a log. A second implementation, in durabletest,
// forgets what was not synced.
type FS interface {
	// Open opens a file for reading and writing; the error is fs.ErrNotExist
	// when there is none.
	Open(name string) (File, error)
	// Create makes a file, in place of one of the same name, with size bytes
	// reserved on the medium. On error no file is left behind, if possible.
	Create(name string, size int64) (File, error)
	Rename(from, to string) error // replaces a file at to
	Remove(name string) error
	List() ([]string, error)
	Sync() error // makes the names durable
	Close() error
}

// File is one file of an FS.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Sync() error // makes data, size and blocks durable
}
