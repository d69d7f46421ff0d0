package auth

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"sluice/gateway/durable"
)

const (
	maxFile = 1 << 20 // bytes of a password file: some 8,000 users
	maxName = 64      // bytes of the name of a user
)

// File is a password file: NAME:HASH on each line, as mosquitto_passwd and
// `sluice passwd` write it. Lines that begin with # are comments.
type File struct{ lines []line }

// line is a user, or text that is kept as it is.
type line struct{ name, hash, text string }

// ReadFile reads the password file at path. Its error names the line and never
// holds a hash.
func ReadFile(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	file, err := ParseFile(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// ParseFile reads the text of a password file.
func ParseFile(text string) (*File, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("larger than %d bytes: a password file is not", maxFile)
	}
	f := &File{}
	for i, s := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		s = strings.TrimSuffix(s, "\r")
		if strings.TrimSpace(s) == "" || strings.HasPrefix(s, "#") {
			f.lines = append(f.lines, line{text: s})
			continue
		}
		name, hash, ok := strings.Cut(s, ":")
		if !ok {
			return nil, fmt.Errorf("line %d: not NAME:HASH", i+1)
		}
		if err := errors.Join(CheckName(name), CheckHash(hash)); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if _, twice := f.Hash(name); twice {
			return nil, fmt.Errorf("line %d: %q is there twice", i+1, name)
		}
		f.lines = append(f.lines, line{name: name, hash: hash})
	}
	return f, nil
}

// CheckName reports why name cannot be a user's, or nil.
func CheckName(name string) error {
	switch {
	case name == "" || len(name) > maxName || !utf8.ValidString(name):
		return fmt.Errorf("the name of a user has 1 to %d bytes", maxName)
	case strings.ContainsAny(name, ":/+#") || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%q: the name of a user holds none of : / + #", name)
	}
	return nil
}

// Names returns the users in the order of the file.
func (f *File) Names() []string {
	var names []string
	for _, l := range f.lines {
		if l.name != "" {
			names = append(names, l.name)
		}
	}
	return names
}

// Hash returns what is stored of a user's password.
func (f *File) Hash(name string) (string, bool) {
	if i := f.index(name); i >= 0 {
		return f.lines[i].hash, true
	}
	return "", false
}

// Set adds a user, or gives one another hash.
func (f *File) Set(name, hash string) {
	if i := f.index(name); i >= 0 {
		f.lines[i].hash = hash
		return
	}
	f.lines = append(f.lines, line{name: name, hash: hash})
}

// Remove takes a user out; false if there is none of that name.
func (f *File) Remove(name string) bool {
	i := f.index(name)
	if i >= 0 {
		f.lines = append(f.lines[:i], f.lines[i+1:]...)
	}
	return i >= 0
}

func (f *File) index(name string) int {
	for i, l := range f.lines {
		if l.name != "" && l.name == name {
			return i
		}
	}
	return -1
}

// String returns the text of the file.
func (f *File) String() string {
	var b strings.Builder
	for _, l := range f.lines {
		if l.name != "" {
			l.text = l.name + ":" + l.hash
		}
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

// Write replaces the file at path, whole or not at all. Owner and permissions
// stay; a new file is its owner's alone.
func (f *File) Write(path string) error {
	before, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return durable.WriteFile(path, []byte(f.String()), 0o600)
	}
	if err != nil {
		return err
	}
	if err := durable.WriteFile(path, []byte(f.String()), before.Mode().Perm()); err != nil {
		return err
	}
	return keepOwner(path, before)
}
