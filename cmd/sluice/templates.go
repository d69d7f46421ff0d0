package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"sluice/gateway/config"
)

// starter is what `sluice templates new` writes.
//
//go:embed help/starter.yaml
var starter string

func runTemplates(_ context.Context, args []string, t terminal) error {
	f := flags("templates")
	site := f.String("c", defaultSite, "")
	words, err := parseMixed(f, args)
	if err != nil {
		return helpOn(err, "templates", t)
	}
	dir := filepath.Dir(*site)
	verbs := map[string]func(dir, arg string, t terminal) error{
		"show": showTemplate, "lint": lintTemplate, "new": newTemplate,
	}
	switch {
	case len(words) == 0, len(words) == 1 && words[0] == "list":
		return listTemplates(dir, t)
	case len(words) == 2 && verbs[words[0]] != nil:
		return verbs[words[0]](dir, words[1], t)
	default:
		return usage("templates takes list, show NAME, lint FILE or new NAME", "sluice templates list")
	}
}

// listTemplates prints a line for each template, how well its registers are known
// and where it stands.
func listTemplates(dir string, t terminal) error {
	l := config.OpenLibrary(dir)
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tTRUST\tDEVICE\tPOINTS\tFILE")
	for _, name := range l.Names() {
		tmpl, d, place, _ := l.Describe(name)
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", name, tmpl.Verified, strings.TrimSpace(tmpl.Maker+" "+tmpl.Model), len(d.Points), place)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if ps := l.Problems(); len(ps) > 0 {
		fmt.Fprintln(t.err, ps.Error())
		return errReported
	}
	return nil
}

// showTemplate prints the file that a device with the template would be made from.
func showTemplate(dir, name string, t terminal) error {
	place, text, err := config.OpenLibrary(dir).Text(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return hint(fmt.Errorf("there is no template %q", name), "%s", similar(dir, name))
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(t.out, "# %s\n%s", place, text)
	return err
}

// similar names the templates that a part of a name fits.
func similar(dir, name string) string {
	var fit []string
	for _, n := range config.OpenLibrary(dir).Names() {
		if strings.Contains(n, strings.ToLower(name)) {
			fit = append(fit, n)
		}
	}
	if len(fit) == 0 {
		return "`sluice templates list` shows all"
	}
	return "there are " + strings.Join(fit, ", ")
}

// lintTemplate checks a template as strictly as a site file.
func lintTemplate(_, path string, t terminal) error {
	tmpl, ps, err := config.CheckTemplate(path)
	if err != nil {
		return explainFile(err)
	}
	if err := listText(t.err, ps); err != nil {
		return err
	}
	if ps.Errors() > 0 {
		return errReported
	}
	_, err = fmt.Fprintf(t.out, "%s is good: %s, %s, %s for scan\n", path, tmpl.Verified,
		count(len(tmpl.Sources), "source", "sources"), count(len(tmpl.Probe), "rule", "rules"))
	return err
}

// newTemplate writes a template to begin with, unless there is one.
func newTemplate(dir, name string, t terminal) error {
	path, err := config.TemplatePath(dir, name)
	if err != nil {
		return usage("%v", "use lower-case letters, digits, \"-\" and \"_\"", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return hint(fmt.Errorf("%s is there already", path), "edit it, or choose another name")
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(starter)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "wrote %s: put the points of the device in, then `sluice templates lint %s`\n", path, path)
	return err
}
