package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/broker/auth"
)

// TestPasswd goes through the verbs; what one changes the next one sees.
func TestPasswd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users")
	for _, tt := range []struct {
		args     string
		answers  []string
		code     int
		out, err string
	}{
		{"list " + file, nil, exitFailed, "", "no such file"},
		{"add " + file + " anna", []string{"geheim", "gehiem"}, exitFailed, "", "differ"},
		{"add " + file + " a/b", nil, exitFailed, "", "holds none of"},
		{"add " + file + " anna", []string{"", ""}, exitFailed, "", "has 1 to"},
		{"add " + file + " anna", []string{"geheim", "geheim"}, exitOK, "added anna", ""},
		{"add " + file + " berta", []string{"x", "x"}, exitOK, "added berta", ""},
		{"list " + file, nil, exitOK, "anna\nberta\n", ""},
		{"check " + file + " anna", []string{"geheim"}, exitOK, "is the password of anna", ""},
		{"check " + file + " anna", []string{"x"}, exitFailed, "", "is not the password of anna"},
		{"check " + file + " carl", nil, exitFailed, "", "has no user"},
		{"add " + file + " anna", []string{"neu", "neu"}, exitOK, "changed the password of anna", ""},
		{"check " + file + " anna", []string{"neu"}, exitOK, "", ""},
		{"rm " + file + " berta", nil, exitOK, "removed berta", ""},
		{"rm " + file + " berta", nil, exitFailed, "", "has no user"},
		{"list " + file, nil, exitOK, "anna\n", ""},
		{"list", nil, exitUsage, "", "hint: run `sluice help passwd`"},
		{"drop " + file + " anna", nil, exitUsage, "", "no `sluice passwd drop`"},
		{"-h", nil, exitOK, "mosquitto_passwd", ""},
	} {
		var out, errs bytes.Buffer
		term := terminal{&out, &errs}
		ask := func(string) (string, error) {
			answer := tt.answers[0]
			tt.answers = tt.answers[1:]
			return answer, nil
		}
		if code := term.exit(passwd(strings.Fields(tt.args), term, ask)); code != tt.code {
			t.Errorf("%s: exit code %d, want %d: %s", tt.args, code, tt.code, &errs)
		}
		if !strings.Contains(out.String(), tt.out) || !strings.Contains(errs.String(), tt.err) || len(tt.answers) > 0 {
			t.Errorf("%s: printed %q and %q", tt.args, &out, &errs)
		}
	}
	if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), "neu") {
		t.Errorf("%s, %v", text, err)
	}
}

// TestPasswordFromInput: a script gives the password once.
func TestPasswordFromInput(t *testing.T) {
	input := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(input, []byte("ge heim \r\nmore"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(input)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var out, errs bytes.Buffer
	users := filepath.Join(t.TempDir(), "users")
	if err := passwd([]string{"add", users, "anna"}, terminal{&out, &errs}, askPassword(in, &errs)); err != nil {
		t.Fatal(err)
	}
	f, err := auth.ReadFile(users)
	if err != nil {
		t.Fatal(err)
	}
	hash, _ := f.Hash("anna")
	if right, err := auth.Verify(hash, "ge heim "); !right || err != nil {
		t.Error("another password was stored", err)
	}
}
