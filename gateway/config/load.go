package config

import (
	"errors"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"sluice/mapping"
)

// Load reads and checks the site file at path and the files it includes. Relative
// paths start in the folder of the file they are written in. The error is
// mapping.Problems when the file could be read.
func Load(path string) (*Config, error) { return load(path, false) }

// LoadForDesk is Load for tools that only talk to devices: the passwords and
// certificates that the site file names may be out of reach.
func LoadForDesk(path string) (*Config, error) { return load(path, true) }

func load(path string, desk bool) (*Config, error) {
	f := newFiles(filepath.Dir(path))
	text, err := f.readFile(path)
	if err != nil {
		return nil, err
	}
	return parse(reader{files: f, path: path, desk: desk}, text)
}

// Parse checks the text of a site file whose problems are reported under name;
// paths in it are relative to the working directory.
func Parse(name string, text []byte) (*Config, error) {
	return parse(reader{files: newFiles(""), path: name}, text)
}

func parse(r reader, text []byte) (*Config, error) {
	root := r.files.parse(r.path, text)
	if !root.Present() {
		return nil, r.problems().Err()
	}
	c := r.site(root)
	problems := r.problems()
	if err := problems.Err(); err != nil {
		return nil, err
	}
	c.Warnings = problems
	c.Digest = r.digest()
	return c, nil
}

// syntaxError is how the YAML library words its errors.
var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// reportSyntax gives a YAML error a place in the file.
func reportSyntax(file *mapping.File, err error) {
	var types *yaml.TypeError
	if errors.As(err, &types) {
		for _, e := range types.Errors {
			reportSyntax(file, errors.New("yaml: "+e))
		}
		return
	}
	line, what := 0, err.Error()
	if m := syntaxError.FindStringSubmatch(what); m != nil {
		line, _ = strconv.Atoi(m[1])
		what = m[2]
	}
	fix := ""
	switch {
	case strings.Contains(what, "cannot start any token"):
		fix = "indent with spaces, not tabs; put text with special characters in quotes"
	case strings.Contains(what, "mapping values are not allowed"):
		fix = "check the indentation of this line and of the one above; put text with \": \" in quotes"
	case strings.Contains(what, "did not find expected"):
		fix = "check the indentation and the brackets of the lines above"
	}
	file.Report(line, 1, "not valid YAML: "+what, fix)
}
