//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// startLimit is how long a peer may take to start or to stop.
const startLimit = 15 * time.Second

// freePort sets each variable to a free TCP port on loopback.
//
//	freeport NAME...
func freePort(ts *testscript.TestScript, neg bool, names []string) {
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Setenv(name, fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
		ts.Check(l.Close())
	}
}

// slave joins two pseudo-terminals and serves pymodbus's slave on the far one; the
// near one is $WORK/NAME.
//
//	slave NAME [rtu|ascii]
func slave(ts *testscript.TestScript, neg bool, args []string) {
	near := ts.MkAbs(args[0])
	far := near + "-far"
	start(ts, "socat", "pty,raw,echo=0,link="+near, "pty,raw,echo=0,link="+far)
	eventually(ts, "socat's terminals", func() bool { return exists(near) && exists(far) })
	serveSlave(ts, far, near, args[1:]...)
}

// serveSlave runs pymodbus's slave on one port and waits until a master on
// another hears it.
func serveSlave(ts *testscript.TestScript, port, heard string, framing ...string) {
	start(ts, "/usr/bin/python3", append([]string{filepath.Join(ts.Getenv("PEERS"), "slave.py"), port}, framing...)...)
	if len(framing) > 0 && framing[0] == "ascii" {
		return // mbpoll does not speak it
	}
	eventually(ts, "pymodbus to answer", func() bool {
		return exec.Command("mbpoll", "-m", "rtu", "-b", "19200", "-P", "none", "-a", "7", "-0", "-r", "0", "-c", "1", "-o", "0.2", "-1", heard).Run() == nil
	})
}

// netslave serves pymodbus's slave on a TCP port of loopback.
//
//	netslave PORT rtu|ascii|tcp
func netSlave(ts *testscript.TestScript, neg bool, args []string) {
	start(ts, "/usr/bin/python3", filepath.Join(ts.Getenv("PEERS"), "slave.py"), args[0], args[1])
	eventually(ts, "pymodbus on port "+args[0], func() bool { return listening(args[0]) })
}

// hub is a line with three taps: pymodbus's RTU slave is on the first, $WORK/NAME-a
// and $WORK/NAME-b are for a master and a listener.
//
//	hub NAME
func hub(ts *testscript.TestScript, neg bool, args []string) {
	name := ts.MkAbs(args[0])
	slave, a, b := name+"-slave", name+"-a", name+"-b"
	start(ts, "/usr/bin/python3", filepath.Join(ts.Getenv("PEERS"), "hub.py"), slave, a, b)
	eventually(ts, "the hub", func() bool { return exists(slave) && exists(a) && exists(b) })
	serveSlave(ts, slave, a)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// mosquitto starts or ends Debian's broker. Its sessions and queues survive a
// stop, without a limit to their length. CONF has further lines for the listener.
//
//	mosquitto start|stop PORT [CONF]
func mosquitto(ts *testscript.TestScript, neg bool, args []string) {
	port := args[1]
	pidFile := ts.MkAbs("mosquitto-" + port + ".pid")
	if args[0] == "stop" {
		pid := strings.TrimSpace(ts.ReadFile(pidFile))
		ts.Check(exec.Command("kill", pid).Run())
		eventually(ts, "mosquitto to stop", func() bool { return !listening(port) && !exists(pidFile) })
		return
	}
	dir := ts.MkAbs("mosquitto-" + port)
	ts.Check(os.MkdirAll(dir, 0o755))
	conf := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\nuser root\npid_file %s\npersistence true\npersistence_location %s/\nmax_queued_messages 0\nlog_dest file %s/log\n",
		port, pidFile, dir, dir)
	if len(args) > 2 {
		conf += ts.ReadFile(args[2])
	}
	file := filepath.Join(dir, "conf")
	ts.Check(os.WriteFile(file, []byte(conf), 0o644))
	start(ts, "mosquitto", "-c", file)
	eventually(ts, "mosquitto on port "+port, func() bool { return listening(port) })
}

// waitListen waits until somebody serves a TCP port on loopback.
//
//	waitlisten PORT
func waitListen(ts *testscript.TestScript, neg bool, args []string) {
	eventually(ts, "port "+args[0], func() bool { return listening(args[0]) })
}

func listening(port string) bool {
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// collect writes every message on a topic to a file, one "TOPIC PAYLOAD" a line,
// from a session that outlives the broker.
//
//	collect FILE PORT FILTER
func collect(ts *testscript.TestScript, neg bool, args []string) {
	file, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(func() { file.Close() })
	cmd := exec.Command("stdbuf", "-oL", "mosquitto_sub", "-p", args[1], "-t", args[2], "-q", "1", "-c", "-i", "collect-"+filepath.Base(args[0]), "-v", "-d")
	var debug syncBuffer
	cmd.Stdout = &splitter{messages: file, debug: &debug}
	run(ts, cmd)
	eventually(ts, "mosquitto_sub to subscribe", func() bool { return strings.Contains(debug.String(), "Subscribed") })
}

// start runs a peer until the script ends.
func start(ts *testscript.TestScript, name string, args ...string) {
	cmd := exec.Command(name, args...)
	var out syncBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	run(ts, cmd)
	ts.Defer(func() {
		if text := out.String(); text != "" {
			ts.Logf("%s said:\n%s", name, text)
		}
	})
}

// run starts cmd and ends it when the script ends, or when this process dies.
func run(ts *testscript.TestScript, cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	ts.Check(cmd.Start())
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		close(done)
	}()
	ts.Defer(func() {
		cmd.Process.Kill()
		<-done
	})
}

// eventually waits for a condition and fails the script when it does not come.
func eventually(ts *testscript.TestScript, what string, ok func() bool) {
	for end := time.Now().Add(startLimit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	ts.Fatalf("waited %v for %s", startLimit, what)
}

// splitter parts what mosquitto_sub -d -v prints: messages, whose topics have a
// slash in their first word, and its own remarks.
type splitter struct {
	messages *os.File
	debug    *syncBuffer
	partial  []byte
}

func (s *splitter) Write(p []byte) (int, error) {
	s.partial = append(s.partial, p...)
	for {
		line, rest, ok := bytes.Cut(s.partial, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		first, _, _ := bytes.Cut(line, []byte(" "))
		if bytes.Contains(first, []byte("/")) {
			if _, err := fmt.Fprintf(s.messages, "%s\n", line); err != nil {
				return 0, err
			}
		} else {
			s.debug.Write(append(line, '\n'))
		}
		s.partial = rest
	}
}
