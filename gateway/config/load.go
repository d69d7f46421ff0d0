package config

import "path/filepath"

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
