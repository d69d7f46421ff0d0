//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// lanPatience is what a client has for each answer: processes start slowly on a
// machine that has other things to do.
const lanPatience = time.Minute

// launcher returns the program of a client. It connects once, as the variables
// LAN_... say, subscribes, publishes what it is told on standard input, disconnects
// at its end, and says what happens:
//
//	connected PRESENT           or refused CODE, and no more
//	subscribed CODE,...
//	message TOPIC QOS RETAIN PAYLOAD
//	published CODE              when acknowledged
//	lost                        the broker has disconnected it
//
// A ? stands for what the client does not tell.
type launcher func(t *testing.T) *exec.Cmd

const lanDir = "testdata/peers/lan/"

func mosquittoClient(*testing.T) *exec.Cmd { return exec.Command("sh", lanDir+"mosquitto.sh") }

func pahoPython(*testing.T) *exec.Cmd {
	return exec.Command("/usr/bin/python3", lanDir+"paho-python.py")
}

// pahoC is a library: the client on it is ours.
func pahoC(t *testing.T) *exec.Cmd { return exec.Command(pahoProgram(t)) }

func mqttJS(t *testing.T) *exec.Cmd {
	cmd := exec.Command("node", lanDir+"mqttjs.js")
	cmd.Env = []string{"NODE_PATH=" + nodeModules(t, "mqttjs")}
	return cmd
}

// nodeRED runs a flow of ours, with no server of any kind.
func nodeRED(t *testing.T) *exec.Cmd {
	settings, err := filepath.Abs(lanDir + "nodered.js")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(nodeModules(t, "node-red"), "node-red/red.js"), "-s", settings)
	cmd.Env = []string{"LAN_DIR=" + t.TempDir(), "LAN_FLOW=" + filepath.Join(filepath.Dir(settings), "flow.json")}
	return cmd
}

var buildPaho = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("cc", "-O1", "-Wall", "-Werror", "-o", filepath.Join(bin, "paho"), lanDir+"paho-c.c", "-lpaho-mqtt3cs").CombinedOutput()
})

func pahoProgram(t *testing.T) string {
	if out, err := buildPaho(); err != nil {
		t.Fatalf("%v: run `make peers`\n%s", err, out)
	}
	return filepath.Join(bin, "paho")
}

func nodeModules(t *testing.T, peer string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(cache, "sluice-peers", peer, "node_modules")
	if !exists(modules) {
		t.Fatalf("%s is missing: run `make peers`", modules)
	}
	return modules
}

// lanOptions are how a client connects.
type lanOptions struct {
	id       string
	clean    bool
	resumed  bool // a session is there
	filters  []string
	will     string // topic; empty for none
	password string // the right one if empty
	ca       string // likewise
}

// lanClient is a process that speaks to the broker.
type lanClient struct {
	id       string
	cmd      *exec.Cmd
	in       io.WriteCloser
	messages chan string
	events   chan string
	ended    chan struct{}
	said     syncBuffer
}

func startClient(t *testing.T, cmd *exec.Cmd, b *lanBroker, w way, o lanOptions) *lanClient {
	t.Helper()
	c := &lanClient{id: o.id, cmd: cmd, messages: make(chan string, 1000), events: make(chan string, 1000), ended: make(chan struct{})}
	cmd.Env = append(append(os.Environ(), cmd.Env...), b.environment(w, o)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = &c.said
	var err error
	if c.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: run `make peers`", err)
	}
	go c.read(out)
	return c
}

// read ends with the process and all that it has started.
func (c *lanClient) read(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		fmt.Fprintln(&c.said, line)
		if strings.HasPrefix(line, "message ") {
			c.messages <- line
		} else {
			c.events <- line
		}
	}
	_ = c.cmd.Wait()
	close(c.ended)
}

// event waits for what the client says next, messages apart.
func (c *lanClient) event(want ...string) error { return c.hear(c.events, want) }

func (c *lanClient) message(topic, qos, retain, payload string) error {
	return c.hear(c.messages, []string{"message", topic, qos, retain, payload})
}

func (c *lanClient) hear(from <-chan string, want []string) error {
	select {
	case line := <-from:
		if !sayTheSame(strings.Fields(line), want) {
			return fmt.Errorf("%s said %q, want %q", c.id, line, want)
		}
		return nil
	case <-time.After(lanPatience):
		return fmt.Errorf("waited %v for %s to say %q", lanPatience, c.id, want)
	}
}

func sayTheSame(got, want []string) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if got[i] != want[i] && got[i] != "?" && want[i] != "?" {
			return false
		}
	}
	return true
}

func (c *lanClient) write(words ...string) { fmt.Fprintln(c.in, strings.Join(words, " ")) }

// publish waits for the acknowledgement.
func (c *lanClient) publish(topic, qos, retain, payload string) error {
	c.write("publish", topic, qos, retain, payload)
	return c.event("published", "0")
}

// leave disconnects and waits for the end.
func (c *lanClient) leave() {
	c.in.Close()
	select {
	case <-c.ended:
	case <-time.After(lanPatience):
	}
}

func (c *lanClient) kill() {
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	<-c.ended
}
