package config

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"

	"sluice/mapping"
)

// maxFile bounds a site file; the largest known site needs a tenth of it.
const maxFile = 4 << 20

// Load reads and checks the site file at path. Paths in it are relative to its
// folder. The error is mapping.Problems when the file could be read.
func Load(path string) (*Config, error) { return load(path, false) }

// LoadForDesk is Load for tools that only talk to devices: the passwords and
// certificates that the site file names may be out of reach.
func LoadForDesk(path string) (*Config, error) { return load(path, true) }

func load(path string, desk bool) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read site file: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is larger than %s: a site file is not", path, mapping.FormatSize(maxFile))
	}
	return parse(path, reader{dir: filepath.Dir(path), desk: desk}, text)
}

// Parse checks the text of a site file whose problems are reported under name;
// paths in it are relative to the working directory.
func Parse(name string, text []byte) (*Config, error) { return parse(name, reader{}, text) }

func parse(name string, r reader, text []byte) (*Config, error) {
	file := mapping.NewFile(name, text)
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		reportSyntax(file, text, err)
		return nil, file.Problems.Err()
	}
	if doc.Kind == 0 {
		file.Report(0, 0, "the file is empty", "start from `sluice help site`")
		return nil, file.Problems.Err()
	}
	if second := secondDocument(text); second > 0 {
		file.Report(second, 1, "a second document begins here, and would be ignored", "take the line --- out, or keep one site a file")
	}
	c := r.site(file.Root(&doc))
	if err := file.Problems.Err(); err != nil {
		return nil, err
	}
	c.Warnings = file.Problems
	c.Digest = fmt.Sprintf("sha256:%.8x", sha256.Sum256(text))
	return c, nil
}

// secondDocument returns the line at which a second YAML document begins, or 0.
func secondDocument(text []byte) int {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	if d.Decode(&first) != nil || d.Decode(&second) != nil {
		return 0
	}
	return second.Line
}
