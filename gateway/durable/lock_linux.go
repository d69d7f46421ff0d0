package durable

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// lockHolder says who has the directory locked, as far as this process may know.
func lockHolder(dir *os.File) string {
	const unknown = "by a process that cannot be told from here"
	info, err := dir.Stat()
	if err != nil {
		return unknown
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return unknown
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return unknown
	}
	pid, ok := findLock(string(locks), stat.Ino)
	if !ok {
		return unknown
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("by process %d", pid)
	}
	return fmt.Sprintf("by %s, process %d", bytes.TrimSpace(name), pid)
}

// findLock returns the process that holds the flock on an inode. A line is
// "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"; the device is not compared,
// since some filesystems show another here than to stat.
func findLock(locks string, inode uint64) (pid int, ok bool) {
	for line := range strings.Lines(locks) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" || !strings.HasSuffix(f[5], ":"+strconv.FormatUint(inode, 10)) {
			continue
		}
		if pid, err := strconv.Atoi(f[4]); err == nil && pid > 0 {
			return pid, true
		}
	}
	return 0, false
}
