//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// needed are the programs of other makers that the scripts run.
var needed = []string{"mosquitto", "mosquitto_pub", "mosquitto_sub", "mbpoll", "socat", "jq", "tinyproxy", "microsocks", "cc", "node", "mkfs.ext4", "/usr/bin/python3", "qemu-aarch64-static", "qemu-arm-static"}

// bin is the folder with the programs under test: sluice, and sluice-arm64 and
// sluice-armv7 for other boards.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if err := build(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
		defer os.RemoveAll(bin)
		return m.Run()
	}())
}

// build compiles the programs under test, and fails when a peer is missing:
// these tests are never skipped.
func build() (err error) {
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	for _, p := range needed {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%s is missing: run `make peers`", p)
		}
	}
	if bin, err = os.MkdirTemp("", "sluice-e2e-"); err != nil {
		return err
	}
	for _, target := range []struct {
		name string
		env  []string
	}{
		{"sluice", nil},
		{"sluice-arm64", []string{"CGO_ENABLED=0", "GOARCH=arm64"}},
		{"sluice-armv7", []string{"CGO_ENABLED=0", "GOARCH=arm", "GOARM=7"}},
	} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(bin, target.name), "sluice/cmd/sluice")
		cmd.Env = append(os.Environ(), target.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %v\n%s", target.name, err, out)
		}
	}
	return nil
}

func TestScripts(t *testing.T) {
	peers, err := filepath.Abs("testdata/peers")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			env.Setenv("PEERS", peers)
			env.Setenv("BIN", bin)
			env.Setenv("TERM", "dumb")
			env.Values[stampKey{}] = new(time.Time)
			env.Values[adapterKey{}] = new(adapter)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond != "root" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport":   freePort,
			"slave":      slave,
			"netslave":   netSlave,
			"plug":       plug,
			"unplug":     unplug,
			"idle":       idle,
			"hub":        hub,
			"mosquitto":  mosquitto,
			"collect":    collect,
			"waitlisten": waitListen,
			"stamp":      stamp,
			"within":     within,
			"await":      await,
			"pause":      pause,
			"series":     series,
			"sorted":     sorted,
			"render":     render,
			"disk":       disk,
			"fill":       fill,
			"unfill":     unfill,
			"remount":    remount,
			"yank":       yank,
			"insert":     insert,
			"publish":    publish,
			"balance":    balance,
			"certify":    certificates,
			"proxy":      proxy,
		},
	})
}
