package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// pkg is one folder of Go files, whatever their build constraints.
type pkg struct {
	dir, name string
	files     []file
}

// file is what the rules want to know of a file. Positions are "path:line".
type file struct {
	test    bool
	comment bool
	imports []use
	sleeps  []string
	inits   []string
}

type use struct{ path, pos string }

// comments counts the package comments, in tests only when there is nothing else.
func (p pkg) comments() int {
	files := slices.DeleteFunc(slices.Clone(p.files), func(f file) bool { return f.test })
	if len(files) == 0 {
		files = p.files
	}
	var n int
	for _, f := range files {
		if f.comment {
			n++
		}
	}
	return n
}

// parse returns the packages of the module at the top of fsys, in the order of
// their folders.
func parse(fsys fs.FS) ([]pkg, error) {
	var packages []pkg
	fset := token.NewFileSet()
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir() || name == ".":
			return nil
		case foreign(fsys, name):
			return fs.SkipDir
		}
		p, err := parseDir(fset, fsys, name)
		if len(p.files) > 0 {
			packages = append(packages, p)
		}
		return err
	})
	return packages, err
}

// foreign reports whether the go tool passes over dir: it is no package of this
// module.
func foreign(fsys fs.FS, dir string) bool {
	base := path.Base(dir)
	if base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(dir, "go.mod"))
	return err == nil
}

func parseDir(fset *token.FileSet, fsys fs.FS, dir string) (pkg, error) {
	p := pkg{dir: dir}
	names, err := fs.Glob(fsys, dir+"/*.go")
	if err != nil {
		return p, err
	}
	for _, name := range names {
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return p, err
		}
		tree, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return p, err
		}
		p.name = strings.TrimSuffix(tree.Name.Name, "_test")
		p.files = append(p.files, read(fset, tree, strings.HasSuffix(name, "_test.go")))
	}
	return p, nil
}

func read(fset *token.FileSet, tree *ast.File, test bool) file {
	f := file{test: test, comment: tree.Doc.Text() != ""}
	at := func(n ast.Node) string {
		p := fset.Position(n.Pos())
		return fmt.Sprintf("%s:%d", p.Filename, p.Line)
	}
	time := "" // what the file calls package time
	for _, i := range tree.Imports {
		to, _ := strconv.Unquote(i.Path.Value) // the parser has seen to it
		f.imports = append(f.imports, use{to, at(i)})
		switch {
		case to == "time" && i.Name != nil:
			time = i.Name.Name
		case to == "time":
			time = "time"
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				f.inits = append(f.inits, at(n))
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == time && n.Sel.Name == "Sleep" {
				f.sleeps = append(f.sleeps, at(n))
			}
		}
		return true
	})
	return f
}
