package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/configs"
)

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	good, bad, doubtful := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml"), filepath.Join(dir, "doubtful.yaml")
	for path, text := range map[string]string{
		good:     configs.Minimal,
		bad:      strings.Replace(configs.Minimal, "8N1", "8X1", 1),
		doubtful: configs.Minimal + "    points: [{id: beside, register: input 30002, type: float32}]\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args     string
		code     int
		out, err string // contained in what is printed; empty: nothing is
	}{
		{"", exitOK, "sluice COMMAND [FLAGS]", ""},
		{"--help", exitOK, "  check      check a site file", ""},
		{"help run", exitOK, "sluice run [-c FILE]", ""},
		{"help site", exitOK, "Reference of the site file", ""},
		{"run -h", exitOK, "sluice run [-c FILE]", ""},
		{"check --help", exitOK, "sluice check [-c FILE]", ""},
		{"version", exitOK, "sluice ", ""},
		{"--version", exitOK, "sluice ", ""},
		{"check -c " + good, exitOK, "1 bus, 1 device, 52 points, 0 bridges", ""},
		{"check -c " + bad, exitFailed, "", "bad.yaml:8:13: bus \"rs485\": format: \"8X1\""},
		{"check -c " + dir + "/none.yaml", exitFailed, "", "hint: name the site file: -c FILE"},
		{"check -format yaml", exitUsage, "", "hint: write text, json or github"},
		{"check -format json -c " + bad, exitFailed, `"line":8,"column":13,"severity":"error","what":"bus \"rs485\": format:`, ""},
		{"check -format json -c " + good, exitOK, "", ""},
		{"check -format github -c " + bad, exitFailed, "bad.yaml,line=8,col=13::bus \"rs485\": format: \"8X1\" is not a serial format%0Afix: ", ""},
		{"check -c " + doubtful, exitOK, "is good", "doubtful.yaml:16:14: warning: "},
		{"check -strict -c " + doubtful, exitFailed, "", "1 warning"},
		{"check -format github -c " + doubtful, exitOK, "::warning file=", ""},
		{"plan -c " + good, exitOK, "bus rs485, 9600 8N1: 5.5 % of the line is asked for", ""},
		{"plan -c " + bad, exitFailed, "", "1 problem"},
		{"check site.yaml", exitUsage, "", "sluice: check takes no argument \"site.yaml\""},
		{"check -x", exitUsage, "", "hint: run `sluice help check` for its flags"},
		{"templates list -c " + good, exitOK, "eastron-sdm630", ""},
		{"templates list", exitOK, "single source  Wiren Board WB-MCM8", ""},
		{"templates show eastron-sdm630", exitOK, "# built-in/eastron-sdm630.yaml\n", ""},
		{"templates show eastron", exitFailed, "", "hint: there are eastron-sdm120, eastron-sdm230"},
		{"templates show ../../etc/passwd", exitFailed, "", "there is no template"},
		{"templates new my-meter -c " + good, exitOK, "wrote " + dir + "/templates/my-meter.yaml", ""},
		{"templates new my-meter -c " + good, exitFailed, "", "is there already"},
		{"templates new ../meter -c " + good, exitUsage, "", "cannot be the name"},
		{"templates lint " + dir + "/templates/my-meter.yaml", exitOK, "unchecked, 1 source, 2 rules for scan", ""},
		{"templates lint " + bad, exitFailed, "", "unknown key \"version\""},
		{"templates lint " + dir + "/none.yaml", exitFailed, "", "no such file"},
		{"templates list -c " + good, exitOK, "my-meter", ""},
		{"templates", exitOK, "eastron-sdm630", ""},
		{"templates show", exitUsage, "", "templates takes list, show NAME, lint FILE or new NAME"},
		{"run -c " + bad, exitFailed, "", "1 problem"},
		{"help nothing", exitUsage, "", "there is no help on \"nothing\""},
		{"help ../help", exitUsage, "", "there is no help"},
		{"chekc", exitUsage, "", "there is no command \"chekc\""},
		{"demo -port 99999", exitUsage, "", "hint: run `sluice help demo`"},
	} {
		var out, err bytes.Buffer
		code := run(t.Context(), strings.Fields(tt.args), terminal{&out, &err})
		if code != tt.code {
			t.Errorf("sluice %s: exit code %d, want %d", tt.args, code, tt.code)
		}
		for _, printed := range []struct{ name, got, want string }{{"stdout", out.String(), tt.out}, {"stderr", err.String(), tt.err}} {
			if !strings.Contains(printed.got, printed.want) || printed.want == "" && printed.got != "" {
				t.Errorf("sluice %s: %s is %q, want %q in it", tt.args, printed.name, printed.got, printed.want)
			}
		}
	}
}

// TestEveryCommandHasHelp keeps the help texts and the commands together.
func TestEveryCommandHasHelp(t *testing.T) {
	for _, c := range commands() {
		var out bytes.Buffer
		if code := run(t.Context(), []string{"help", c.name}, terminal{&out, &out}); code != exitOK || !strings.Contains(out.String(), "sluice") {
			t.Errorf("sluice help %s: exit code %d\n%s", c.name, code, out.String())
		}
	}
}
