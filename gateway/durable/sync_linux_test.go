package durable

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestWriteZeros: the way blocks are reserved where fallocate is not known.
func TestWriteZeros(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 100_000 // no multiple of what is written at once
	if err := writeZeros(f, size); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, make([]byte, size)) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestAllocateReportsErrors(t *testing.T) {
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := allocate(f, 4096); err == nil {
		t.Error("reserved blocks for a directory")
	}
}
