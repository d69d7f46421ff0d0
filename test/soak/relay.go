package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const relaySite = `version: 1
site: soak
buses: [{id: line, port: %[1]s/no-such-port, baud: 9600, format: 8N1}]
devices: [{id: none, bus: line, unit: 1, points: [{id: none, register: holding 0x0000}]}]
broker: {listen: [{address: "127.0.0.1:%[2]d"}]}
bridges:
  - id: cloud
    url: mqtt://%[3]s
    queue: {commit_delay: 20ms}
    send: [{match: "soak/#", exclude: ["soak/none/#"]}]
`

// relay is the real program, which bridges what is published to it.
type relay struct {
	binary, dir, site string
	port              int
	log               *os.File
	kills             int
}

// newRelay builds the program and writes the site whose upstream is at address.
func newRelay(ctx context.Context, dir, address string) (*relay, error) {
	return newProgram(ctx, dir, func(port int) string { return fmt.Sprintf(relaySite, dir, port, address) })
}

// newProgram builds the program and writes the site that it serves on a free port.
func newProgram(ctx context.Context, dir string, site func(port int) string) (*relay, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	r := &relay{binary: filepath.Join(dir, "sluice"), dir: dir, site: filepath.Join(dir, "site.yaml"), port: ports[0]}
	if err := os.WriteFile(r.site, []byte(site(r.port)), 0o600); err != nil {
		return nil, err
	}
	if r.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", r.binary, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build sluice: %w\n%s", err, out)
	}
	return r, nil
}

// live keeps the program running and kills it every few seconds, until ctx ends.
func (r *relay) live(ctx context.Context) error {
	for ctx.Err() == nil {
		cmd, err := r.start()
		if err != nil {
			return err
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			return fmt.Errorf("the gateway ended by itself: %w", err)
		case <-time.After(between(3*time.Second, 9*time.Second)):
		case <-ctx.Done():
		}
		cmd.Process.Kill()
		<-ended
		r.kills++
		pause(ctx, between(0, 300*time.Millisecond))
	}
	return nil
}

func (r *relay) start() (*exec.Cmd, error) {
	cmd := exec.Command(r.binary, "run", "-c", r.site, "-state", filepath.Join(r.dir, "state"))
	cmd.Stdout, cmd.Stderr = r.log, r.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, cmd.Start()
}

// finish runs the program until nothing waits, at most so long, then stops it as
// planned.
func (r *relay) finish(ctx context.Context, most time.Duration) (account, error) {
	cmd, err := r.start()
	if err != nil {
		return account{}, err
	}
	for end := time.Now().Add(most); time.Now().Before(end); {
		if !pause(ctx, time.Second) {
			break
		}
		if a, err := r.account(); err == nil && a.Backlog == 0 {
			break
		}
	}
	cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		return account{}, fmt.Errorf("stop the gateway: %w", err)
	}
	return r.account()
}

// account is that of all lanes.
type account struct {
	Appended, Delivered, Dead, Backlog uint64
	Overflow                           uint64 `json:"lost_overflow"`
	Age                                uint64 `json:"lost_age"`
	Damage                             uint64 `json:"lost_damage"`
	Balance                            int64
}

// account reads the account from the files of the queue.
func (r *relay) account() (sum account, err error) {
	out, err := exec.Command(r.binary, "queue", "stats", "-json", "-state", filepath.Join(r.dir, "state")).Output()
	if err != nil {
		return sum, fmt.Errorf("sluice queue stats: %w", err)
	}
	for in := bufio.NewScanner(bytes.NewReader(out)); in.Scan(); {
		var lane struct {
			Lane string
			account
		}
		if err := json.Unmarshal(in.Bytes(), &lane); err != nil {
			return sum, err
		}
		if lane.Lane == "dead" {
			continue // counted where they came from
		}
		sum.Appended += lane.Appended
		sum.Delivered += lane.Delivered
		sum.Overflow += lane.Overflow
		sum.Age += lane.Age
		sum.Damage += lane.Damage
		sum.Dead += lane.Dead
		sum.Backlog += lane.Backlog
		sum.Balance += max(lane.Balance, -lane.Balance)
	}
	return sum, nil
}

func between(least, most time.Duration) time.Duration { return least + rand.N(most-least) }

// freePorts returns ports of loopback that nobody serves.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // at the end, or the next might be the same
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
