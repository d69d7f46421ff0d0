package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sluice/configs"
	"sluice/mapping"
)

// TemplateFolder is where a site keeps templates of its own, beside its file. One
// there takes the place of a built-in one of the same name.
const TemplateFolder = "templates"

// templateName is what a template may be called: it names a file.
var templateName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// Library finds the templates of a site, and those built in. It is a
// mapping.Library.
type Library struct {
	files *files
	found map[string]mapping.Node // under `templates`, and those read already
	place map[string]string
}

// OpenLibrary returns the templates for sites in a folder.
func OpenLibrary(dir string) *Library { return newLibrary(newFiles(dir)) }

func newLibrary(f *files) *Library {
	return &Library{files: f, found: map[string]mapping.Node{}, place: map[string]string{}}
}

// Problems returns what is wrong with the templates read so far.
func (l *Library) Problems() mapping.Problems { return l.files.problems() }

// add takes over the templates under the key `templates` of a file.
func (l *Library) add(n mapping.Node) {
	for _, e := range n.Entries() {
		name := e.Key.Text()
		switch {
		case !templateName.MatchString(name):
			e.Key.Problem("use lower-case letters, digits, \"-\" and \"_\" (64 at most)", "%q cannot be the name of a template", name)
		case l.found[name].Present():
			e.Key.Problem("keep one of the two", "template %q is given twice", name)
		default:
			l.found[name], l.place[name] = e.Value, "site file"
		}
	}
}

// Template returns where the template of that name stands; false if there is
// none. One that is no YAML is there without being Present.
func (l *Library) Template(name string) (mapping.Node, bool) {
	if n, ok := l.found[name]; ok {
		return n, true
	}
	if !templateName.MatchString(name) {
		return mapping.Node{}, false
	}
	place, text, err := l.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return mapping.Node{}, false
	}
	n := l.files.parse(place, text)
	if err != nil {
		l.files.report(err)
	}
	l.found[name], l.place[name] = n, place
	return n, true
}

// check reports what is wrong with the templates found, used or not.
func (l *Library) check() {
	for name, n := range l.found {
		if n.Present() {
			mapping.CheckTemplate(n, name)
		}
	}
}

// Describe returns what the template of that name says of itself, the device that
// it makes, and where it stands; false if there is none, or if it is no YAML.
func (l *Library) Describe(name string) (t mapping.Template, d mapping.Device, place string, ok bool) {
	n, ok := l.Template(name)
	if !ok || !n.Present() {
		return t, d, l.place[name], false
	}
	t, d = mapping.CheckTemplate(n, name)
	return t, d, l.place[name], true
}

// Text returns the file of a template and where it stands, and an error that is
// fs.ErrNotExist if there is none.
func (l *Library) Text(name string) (place string, text []byte, err error) {
	if !templateName.MatchString(name) {
		return "", nil, fs.ErrNotExist
	}
	return l.read(name)
}

// CheckTemplate returns what is wrong with a file that holds a template, and what
// the template says of itself.
func CheckTemplate(path string) (mapping.Template, mapping.Problems, error) {
	f := newFiles(filepath.Dir(path))
	text, err := f.readFile(path)
	if err != nil {
		return mapping.Template{}, nil, err
	}
	var t mapping.Template
	if n := f.parse(path, text); n.Present() {
		t, _ = mapping.CheckTemplate(n, strings.TrimSuffix(filepath.Base(path), ".yaml"))
	}
	return t, f.problems(), nil
}

// TemplatePath returns where a template of that name belongs for sites in a folder.
func TemplatePath(dir, name string) (string, error) {
	if !templateName.MatchString(name) {
		return "", fmt.Errorf("%q cannot be the name of a template", name)
	}
	return filepath.Join(dir, TemplateFolder, name+".yaml"), nil
}

// read returns the file of a template: in the folder of the site, else built in.
func (l *Library) read(name string) (place string, text []byte, err error) {
	place = filepath.Join(l.files.dir, TemplateFolder, name+".yaml")
	text, err = l.files.readFile(place)
	if !errors.Is(err, fs.ErrNotExist) {
		return place, text, err
	}
	text, err = configs.Devices.ReadFile("devices/" + name + ".yaml")
	return "built-in/" + name + ".yaml", text, err
}

// Names returns the names of all templates, sorted.
func (l *Library) Names() []string {
	names := map[string]bool{}
	for name := range l.found {
		names[name] = true
	}
	own, _ := os.ReadDir(filepath.Join(l.files.dir, TemplateFolder))
	builtIn, _ := configs.Devices.ReadDir("devices")
	for _, e := range slices.Concat(own, builtIn) {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok && templateName.MatchString(name) {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
