package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/configs"
)

// TestCerts goes through the verbs; what one makes the next one shows.
func TestCerts(t *testing.T) {
	dir := t.TempDir()
	site := filepath.Join(dir, "site.yaml")
	text := configs.Minimal + "broker:\n  tls: {names: [gw.example.com]}\n"
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args     string
		code     int
		out, err string
	}{
		{"show", exitFailed, "", "sluice certs init"},
		{"client panel", exitFailed, "", "no certificate authority"},
		{"init", exitOK, filepath.Join(dir, "state", "tls", "ca.crt") + " to trust", ""},
		{"init", exitOK, "gw.example.com", ""},
		{"client panel", exitOK, "clients/panel.key", ""},
		{"client a/b", exitFailed, "", "holds none of"},
		{"renew panel", exitOK, "clients/panel.crt", ""},
		{"renew", exitOK, "panel.crt", ""},
		{"show", exitOK, "Sluice broker", ""},
		{"", exitUsage, "", "sluice help certs"},
		{"show more", exitUsage, "", "no `sluice certs show more`"},
		{"-h", exitOK, "820 days", ""},
	} {
		var out, errs bytes.Buffer
		args := append([]string{"certs"}, strings.Fields(tt.args)...)
		if tt.args != "-h" {
			args = append(args, "-c", site)
		}
		if code := run(t.Context(), args, terminal{&out, &errs}); code != tt.code {
			t.Errorf("%s: exit code %d, want %d: %s", tt.args, code, tt.code, &errs)
		}
		if !strings.Contains(out.String(), tt.out) || !strings.Contains(errs.String(), tt.err) {
			t.Errorf("%s: printed %q and %q", tt.args, &out, &errs)
		}
	}
}
