package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
)

// isolate gives this process, the simulator, one processor and a real-time
// priority, so that what else the machine does neither delays the line nor is
// measured. It returns the words to put before the command of a stack, which gets
// the last processor and a lower priority. Where this is not allowed the result
// still holds, with more noise in it: the figure sim_late_p99_us tells how much.
func isolate() (before []string) {
	self := strconv.Itoa(os.Getpid())
	if n := runtime.NumCPU(); n > 1 && allowed("taskset", "-a", "-c", "-p", "0", self) {
		before = append(before, "taskset", "-c", strconv.Itoa(n-1))
	}
	if allowed("chrt", "-a", "-f", "-p", "50", self) {
		before = append(before, "chrt", "-f", "40")
	}
	return before
}

func allowed(name string, args ...string) bool {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: expect noise, %s does not work here: %v: %s\n", name, err, out)
	}
	return err == nil
}
