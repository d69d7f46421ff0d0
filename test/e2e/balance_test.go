//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// balance requires that the account of every lane adds up, and that as many
// messages wait as it says. The gateway must have ended.
//
//	balance STATE
func balance(ts *testscript.TestScript, neg bool, args []string) {
	state := ts.MkAbs(args[0])
	sluice := func(args ...string) string {
		out, err := exec.Command(filepath.Join(bin, "sluice"), append(append([]string{"queue"}, args...), "-state", state)...).Output()
		if err != nil {
			ts.Fatalf("sluice queue %v: %v", args, err)
		}
		return string(out)
	}
	lanes := 0
	for line := range strings.Lines(sluice("stats", "-json")) {
		var lane struct {
			Bridge, Lane string
			Backlog      uint64
			Balance      int64
		}
		ts.Check(json.Unmarshal([]byte(line), &lane))
		if lane.Balance != 0 {
			ts.Fatalf("the account does not add up: %s", line)
		}
		if n := strings.Count(sluice("export", lane.Bridge+"/"+lane.Lane), "\n"); uint64(n) != lane.Backlog {
			ts.Fatalf("%d messages wait: %s", n, line)
		}
		lanes++
	}
	if lanes == 0 {
		ts.Fatalf("there is no queue in %s", state)
	}
}

// TestBridgesAreBalanced: no script with a bridge forgets to look.
func TestBridgesAreBalanced(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scripts {
		text, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nbridges:") && !strings.Contains(string(text), "\nbalance ") {
			t.Errorf("%s has a bridge and does not end with balance", s)
		}
	}
}
