package transcript

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// file is a transcript on disk that grows.
type file struct {
	*Writer
	buf  *bufio.Writer
	f    io.Closer
	size int64
}

// createFile begins a transcript, in place of one that is there.
func createFile(path string, h Header) (*file, error) {
	if err := setAside(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return begin(f, h)
}

// begin begins a transcript that is written to f.
func begin(f io.WriteCloser, h Header) (c *file, err error) {
	c = &file{f: f}
	c.buf = bufio.NewWriter(io.MultiWriter(f, (*counter)(&c.size)))
	if c.Writer, err = NewWriter(c.buf, h); err == nil {
		err = c.flush()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func (c *file) flush() error { return c.buf.Flush() }

// setAside renames the transcript at path to end in .1, and loses the one that had
// that name. Files that are no transcripts stay.
func setAside(path string) error {
	for _, p := range []string{path, path + ".1"} {
		if err := isTranscript(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	err := os.Rename(path, path+".1")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// isTranscript is nil if the file at path begins as one.
func isTranscript(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, int64(len(firstLine))+1))
	if err == nil && strings.TrimSpace(string(head)) != firstLine {
		err = fmt.Errorf("%s is there, and is no transcript", path)
	}
	return err
}
