package config

import (
	"errors"
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

// Add takes over the templates under the key `templates` of a file.
func (l *Library) add(n mapping.Node) {
	for _, e := range n.Entries() {
		name := e.Key.Text()
		switch {
		case !templateName.MatchString(name):
			e.Key.Problem("use lower-case letters, digits, \"-\" and \"_\" (64 at most)", "%q cannot be the name of a template", name)
		case l.found[name].Present():
			e.Key.Problem("keep one of the two", "template %q is given twice", name)
		default:
			l.found[name] = e.Value
			mapping.ReadTemplate(e.Value, name)
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
	if n.Present() {
		mapping.ReadTemplate(n, name)
	}
	l.found[name] = n
	return n, true
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
