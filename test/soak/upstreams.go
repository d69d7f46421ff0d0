package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// node is one process upstream.
type node struct {
	address string // for MQTT
	args    []string
	env     []string // beside this process's
	log     string
	cmd     *exec.Cmd
	kills   int
}

// nodeTime is how long one may take to start.
const nodeTime = time.Minute

// start starts the node and waits until it takes connections.
func (n *node) start(ctx context.Context) error {
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	n.cmd = exec.Command(n.args[0], n.args[1:]...)
	n.cmd.Env = append(os.Environ(), n.env...)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(nodeTime); time.Now().Before(end); {
		if conn, err := net.Dial("tcp", n.address); err == nil {
			return conn.Close()
		}
		if !pause(ctx, 100*time.Millisecond) {
			return nil
		}
	}
	return fmt.Errorf("%s does not answer at %s after %v, see %s", n.args[0], n.address, nodeTime, n.log)
}

// kill ends the node at once, with the processes it started.
func (n *node) kill() {
	if n.cmd != nil {
		syscall.Kill(-n.cmd.Process.Pid, syscall.SIGKILL)
		n.cmd.Wait()
		n.cmd = nil
	}
}

// upstreams are the brokers that bridges are soaked against.
var upstreams = map[string]func(ctx context.Context, dir string) ([]*node, error){
	"mosquitto": mosquittoNode,
	"nats":      natsNodes,
	"rabbitmq":  rabbitNodes,
}

func mosquittoNode(_ context.Context, dir string) ([]*node, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location %s/\nmax_queued_messages 0\n", ports[0], dir)
	n := &node{address: loopback(ports[0]), args: []string{"mosquitto", "-c", conf}, log: filepath.Join(dir, "mosquitto.log")}
	return []*node{n}, os.WriteFile(conf, []byte(text), 0o600)
}

const natsConf = `server_name: %[1]s
listen: 127.0.0.1:-1
jetstream { store_dir: "%[2]s", max_mem: 64M, max_file: 1G }
cluster { name: soak, listen: "%[3]s", routes: [%[4]s] }
mqtt { listen: "%[5]s", stream_replicas: 3 }
`

// natsNodes are a cluster of three, each message on all of them.
func natsNodes(ctx context.Context, dir string) ([]*node, error) {
	const replicas = 3
	binary := filepath.Join(dir, "nats-server")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/nats-io/nats-server/v2")
	where, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sluice").Output()
	if err != nil {
		return nil, fmt.Errorf("find this repository: %w", err)
	}
	build.Dir = filepath.Join(strings.TrimSpace(string(where)), "test/soak/nats")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build nats-server: %w\n%s", err, out)
	}
	ports, err := freePorts(2 * replicas)
	if err != nil {
		return nil, err
	}
	var routes []string
	for _, p := range ports[replicas:] {
		routes = append(routes, "nats://"+loopback(p))
	}
	var nodes []*node
	for i, p := range ports[:replicas] {
		name := fmt.Sprintf("nats-%d", i+1)
		conf := filepath.Join(dir, name+".conf")
		text := fmt.Sprintf(natsConf, name, filepath.Join(dir, name), loopback(ports[replicas+i]), strings.Join(routes, ", "), loopback(p))
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			return nil, err
		}
		nodes = append(nodes, &node{address: loopback(p), args: []string{binary, "-c", conf}, log: filepath.Join(dir, name+".log")})
	}
	return nodes, nil
}

const rabbitConf = `listeners.tcp = none
mqtt.listeners.tcp.1 = 127.0.0.1:%d
mqtt.allow_anonymous = true
mqtt.default_user = guest
mqtt.default_pass = guest
disk_free_limit.absolute = 1MB
`

// rabbitNodes are one node of a name, ports and files of its own.
func rabbitNodes(_ context.Context, dir string) ([]*node, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	conf, plugins := filepath.Join(dir, "rabbitmq.conf"), filepath.Join(dir, "plugins")
	if err := os.WriteFile(conf, fmt.Appendf(nil, rabbitConf, ports[0]), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(plugins, []byte("[rabbitmq_mqtt].\n"), 0o600); err != nil {
		return nil, err
	}
	return []*node{{
		address: loopback(ports[0]),
		// Of its port mapper a node would leave one behind, and without NOTIFY_SOCKET the
		// process would watch over the node instead of being it.
		args: []string{"sh", "-c", fmt.Sprintf("setpriv --pdeathsig KILL epmd -port %d & exec /usr/lib/rabbitmq/bin/rabbitmq-server", ports[2])},
		env: []string{
			"HOME=" + dir, "NOTIFY_SOCKET=" + filepath.Join(dir, "notify"), "RABBITMQ_NODENAME=soak@localhost",
			"RABBITMQ_CONFIG_FILE=" + conf, "RABBITMQ_ENABLED_PLUGINS_FILE=" + plugins,
			"RABBITMQ_MNESIA_BASE=" + filepath.Join(dir, "mnesia"), "RABBITMQ_LOG_BASE=" + filepath.Join(dir, "rabbitmq"),
			fmt.Sprintf("RABBITMQ_DIST_PORT=%d", ports[1]), fmt.Sprintf("ERL_EPMD_PORT=%d", ports[2]), "ERL_EPMD_ADDRESS=127.0.0.1",
		},
		log: filepath.Join(dir, "rabbitmq.log"),
	}}, nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
