//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// These commands need root: they make and break real filesystems. Without it the
// scripts fail and say so.

// disk mounts a small filesystem of its own on a folder, until the script ends. The
// device of "ext4-on-device" is a file in FOLDER.device, with room for SIZE there:
// filling that folder makes the device fail. It has no journal, with which ext4
// would not survive that.
//
//	disk ext4|ext4-on-device|tmpfs SIZE FOLDER
func disk(ts *testscript.TestScript, neg bool, args []string) {
	if os.Geteuid() != 0 {
		ts.Fatalf("disk mounts filesystems: run these tests as root")
	}
	kind, size, folder := args[0], args[1], ts.MkAbs(args[2])
	image := folder + ".image"
	switch kind {
	case "tmpfs":
		mount(ts, folder, "-t", "tmpfs", "-o", "size="+size, "sluice-e2e")
		return
	case "ext4-on-device":
		image = filepath.Join(folder+".device", "image")
		mount(ts, folder+".device", "-t", "tmpfs", "-o", "size="+size, "sluice-e2e")
	}
	mustRun(ts, "truncate", "-s", size, image)
	options := []string{"-q", "-m", "0", "-E", "lazy_itable_init=0"}
	if kind == "ext4-on-device" {
		options = append(options, "-O", "^has_journal")
	}
	mustRun(ts, "mkfs.ext4", append(options, image)...)
	mount(ts, folder, "-o", "loop,errors=continue", image)
}

// mount mounts something on a folder until the script ends.
func mount(ts *testscript.TestScript, folder string, args ...string) {
	ts.Check(os.MkdirAll(folder, 0o755))
	mustRun(ts, "mount", append(args, folder)...)
	ts.Defer(func() {
		exec.Command("umount", "--lazy", folder).Run() // lazy: a process that a failed script left may sit there
	})
}

// fill leaves no byte free in a folder; unfill gives back what it took.
//
//	fill FOLDER
//	unfill FOLDER
func fill(ts *testscript.TestScript, neg bool, args []string) {
	f, err := os.Create(filepath.Join(ts.MkAbs(args[0]), "somebody-else"))
	ts.Check(err)
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		ts.Fatalf("fill %s: %v", args[0], err)
	}
}

func unfill(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.Remove(filepath.Join(ts.MkAbs(args[0]), "somebody-else")))
}

// remount makes the filesystem on a folder read-only or writable, as soon as nobody
// is writing to it.
//
//	remount ro|rw FOLDER
func remount(ts *testscript.TestScript, neg bool, args []string) {
	command := []string{"-o", "remount," + args[0], ts.MkAbs(args[1])}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if exec.Command("mount", command...).Run() == nil {
			return
		}
	}
	mustRun(ts, "mount", command...)
}

// yank makes everything on an ext4 fail from now on, as when its device was pulled
// out. insert mounts what was on the medium by then from another device, though
// somebody has files of the old one open.
//
//	yank FOLDER
//	insert FOLDER
func yank(ts *testscript.TestScript, neg bool, args []string) {
	const shutdown, logFlush = 0x8004587d, 1 // EXT4_IOC_SHUTDOWN; what was synced is on the medium
	f, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	ts.Check(unix.IoctlSetPointerInt(int(f.Fd()), shutdown, logFlush))
}

func insert(ts *testscript.TestScript, neg bool, args []string) {
	folder := ts.MkAbs(args[0])
	mustRun(ts, "umount", "--lazy", folder)
	mustRun(ts, "cp", "--sparse=always", folder+".image", folder+".again")
	mount(ts, folder, "-o", "loop", folder+".again")
}

func mustRun(ts *testscript.TestScript, name string, args ...string) {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		ts.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// publish sends numbered messages of so many bytes one after the other, each with a
// client of its own, until COUNT were acknowledged or, with !, one is refused.
// What was acknowledged is appended to a file, as collect would write it.
//
//	[!] publish PORT TOPIC BYTES COUNT FILE
func publish(ts *testscript.TestScript, neg bool, args []string) {
	size, err := strconv.Atoi(args[2])
	ts.Check(err)
	count, err := strconv.Atoi(args[3])
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[4]), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	ts.Check(err)
	defer f.Close()
	text, err := os.ReadFile(f.Name())
	ts.Check(err)
	first := strings.Count(string(text), "\n")
	for n := first; n < first+count; n++ {
		payload := fmt.Sprintf("%06d %s", n, strings.Repeat("x", size))
		cmd := exec.Command("timeout", "10", "mosquitto_pub", "-p", args[0], "-q", "1", "-t", args[1], "-s")
		cmd.Stdin = strings.NewReader(payload)
		if out, err := cmd.CombinedOutput(); err != nil {
			if neg {
				ts.Logf("%d messages acknowledged, then: %s", n-first, out)
				return
			}
			ts.Fatalf("message %d was refused: %v\n%s", n, err, out)
		}
		_, err := fmt.Fprintf(f, "%s %s\n", args[1], payload)
		ts.Check(err)
	}
	if neg {
		ts.Fatalf("%d messages were acknowledged, none refused", count)
	}
}
