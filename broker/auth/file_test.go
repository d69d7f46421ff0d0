package auth_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/broker/auth"
)

func TestFile(t *testing.T) {
	text := "# of the dairy\nanna:" + byMosquitto + "\n\nberta:" + byArgon2 + "\r\n"
	f, err := auth.ParseFile(text)
	if err != nil {
		t.Fatal(err)
	}
	if names := f.Names(); !slices.Equal(names, []string{"anna", "berta"}) {
		t.Error(names)
	}
	if h, ok := f.Hash("berta"); !ok || h != byArgon2 {
		t.Error(h, ok)
	}
	if _, ok := f.Hash(""); ok {
		t.Error("a comment is a user")
	}
	f.Set("anna", byHtpasswd)
	f.Set("carl", byArgon2)
	if !f.Remove("berta") || f.Remove("berta") || f.Remove("") {
		t.Error("Remove")
	}
	if want := "# of the dairy\nanna:" + byHtpasswd + "\n\ncarl:" + byArgon2 + "\n"; f.String() != want {
		t.Errorf("%s\nwant\n%s", f, want)
	}
}

func TestFileRefused(t *testing.T) {
	for text, want := range map[string]string{
		"anna":                                   "line 1: not NAME:HASH",
		"#\nanna:geheim":                         "line 2: not a password hash",
		":" + byArgon2:                           "line 1: the name",
		"a/b:" + byArgon2:                        "line 1: \"a/b\"",
		"a:" + byArgon2 + "\na:" + byArgon2:      "line 2: \"a\" is there twice",
		strings.Repeat("#", 1<<20+1):             "larger",
		strings.Repeat("n", 65) + ":" + byArgon2: "line 1: the name",
	} {
		_, err := auth.ParseFile(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("the error holds what may be a password: %v", err)
		}
	}
}

// TestFileWrite: a new file is for its owner alone, an old one keeps its
// permissions.
func TestFileWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	f := &auth.File{}
	f.Set("anna", byArgon2)
	for _, perm := range []os.FileMode{0o600, 0o640} {
		if err := f.Write(path); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != perm {
			t.Errorf("%v, %v, want %v", info.Mode(), err, perm)
		}
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	back, err := auth.ReadFile(path)
	if err != nil || back.String() != f.String() {
		t.Errorf("%v, %v", back, err)
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add("# x\na:" + byMosquitto + "\n")
	f.Add("a:b\n\n:\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := auth.ParseFile(text)
		if err != nil {
			return
		}
		again, err := auth.ParseFile(file.String())
		if err != nil || again.String() != file.String() {
			t.Errorf("%q: %v", file, err)
		}
	})
}
