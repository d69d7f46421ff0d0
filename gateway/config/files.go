package config

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"

	"sluice/mapping"
)

// Bounds of what one site is made of.
const (
	maxFile    = 4 << 20  // bytes of one file; the largest known site needs a tenth of it
	maxFiles   = 1000     // files
	maxAll     = 16 << 20 // bytes of all
	maxInclude = 8        // files that include each other
)

// files are those a site is read from: the site file, what it includes, and the
// templates its devices name. Each is read once.
type files struct {
	dir   string // of the site file: relative paths start here
	all   []*mapping.File
	named []string // templates included by name: they are found without, but read in any case
	bytes int
	hash  hash.Hash
}

func newFiles(dir string) *files { return &files{dir: dir, hash: sha256.New()} }

// digest tells sites apart by the text of all their files.
func (f *files) digest() string { return fmt.Sprintf("sha256:%.8x", f.hash.Sum(nil)) }

// problems are those of all files.
func (f *files) problems() (all mapping.Problems) {
	for _, file := range f.all {
		all = append(all, file.Problems...)
	}
	return all
}

// readFile reads a file of the site, which must be an ordinary one.
func (f *files) readFile(path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", path, err)
	case len(text) > maxFile:
		return nil, fmt.Errorf("%s is larger than %s: a site file is not", path, mapping.FormatSize(maxFile))
	case len(f.all) >= maxFiles:
		return nil, fmt.Errorf("%s is one file too many: %d is the limit", path, maxFiles)
	case f.bytes+len(text) > maxAll:
		return nil, fmt.Errorf("with %s the site is larger than %s", path, mapping.FormatSize(maxAll))
	}
	return text, nil
}

// parse turns the text of a file into its root; not Present if it is no YAML or
// empty, which is a problem of the file.
func (f *files) parse(name string, text []byte) mapping.Node {
	file := mapping.NewFile(name, text)
	f.all = append(f.all, file)
	f.bytes += len(text)
	f.hash.Write(text)
	documents := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	switch err := documents.Decode(&doc); {
	case errors.Is(err, io.EOF):
		file.Report(0, 0, "the file is empty", "start from `sluice help site`")
		return mapping.Node{}
	case err != nil:
		reportSyntax(file, text, err)
		return mapping.Node{}
	}
	if documents.Decode(&second) == nil {
		file.Report(second.Line, 1, "a second document begins here, and would be ignored", "take the line --- out, or keep one site a file")
	}
	return file.Root(&doc)
}

// part is one file of a site: the site file or one it includes.
type part struct {
	mapping.Map
	path string
	from []string // the files that led here
}

// included returns the files that a part includes, and those that they include,
// in the order in which they are named.
func (f *files) included(p part) []part {
	var parts []part
	dir := filepath.Dir(p.path)
	for _, item := range p.Get("include").Seq() {
		for _, path := range f.glob(item, dir) {
			if filepath.Dir(path) == filepath.Join(f.dir, TemplateFolder) {
				f.named = append(f.named, strings.TrimSuffix(filepath.Base(path), ".yaml"))
				continue
			}
			text, err := f.include(p, path)
			if err != nil {
				item.Problem("", "%v", err)
				continue
			}
			if root := f.parse(path, text); root.Present() {
				inner := part{root.Map(partKeys()...), path, append(p.from[:len(p.from):len(p.from)], path)}
				parts = append(append(parts, inner), f.included(inner)...)
			}
		}
	}
	return parts
}

// partKeys are the keys of an included file.
func partKeys() []string { return []string{"include", "devices", "templates"} }

// include reads a file unless that would go on for ever.
func (f *files) include(p part, path string) ([]byte, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	if len(p.from) >= maxInclude {
		return nil, fmt.Errorf("%s: files include each other %d deep, which is the limit", path, maxInclude)
	}
	for _, before := range p.from {
		if again, err := filepath.EvalSymlinks(before); err == nil && again == real {
			return nil, fmt.Errorf("%s includes itself", path)
		}
	}
	return f.readFile(path)
}

// glob returns the files that a pattern of `include` names; none is a problem.
func (f *files) glob(n mapping.Node, dir string) []string {
	pattern := n.Text()
	if pattern == "" {
		return nil
	}
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(dir, pattern)
	}
	paths, err := filepath.Glob(pattern)
	switch {
	case errors.Is(err, filepath.ErrBadPattern):
		n.Problem("write devices/*.yaml, or the name of one file", "%q is no pattern of file names", n.Text())
	case len(paths) == 0:
		n.Problem("create it, or take it out", "no such file: %s", pattern)
	}
	return paths
}

// report adds what is wrong with the file that was parsed last.
func (f *files) report(err error) { f.all[len(f.all)-1].Report(0, 0, err.Error(), "") }
