package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const lanSite = `version: 1
site: soak
buses: [{id: line, port: %[1]s/no-such-port, baud: 9600, format: 8N1}]
devices: [{id: none, bus: line, unit: 1, points: [{id: none, register: holding 0x0000}]}]
broker: {listen: [{address: "127.0.0.1:%[2]d"}]}
`

//go:embed testdata/session.py
var pythonSession string

// sessionPublishers are the clients that publish, with their QoS.
var sessionPublishers = map[string]int{"one": 1, "two": 2, "two-too": 2}

// settleTime is how long the last messages may take to arrive.
const settleTime = 90 * time.Second

// soakSessions kills the gateway so many times under publishers and a subscriber
// with persistent sessions, while another subscriber is away, and judges what both
// have got in the end.
func soakSessions(ctx context.Context, cycles int) error {
	dir, err := os.MkdirTemp("", "sluice-soak-")
	if err != nil {
		return err
	}
	r, err := newProgram(ctx, dir, func(port int) string { return fmt.Sprintf(lanSite, dir, port) })
	if err != nil {
		return err
	}
	defer r.log.Close()
	if err := livesOf(ctx, r, cycles); err != nil {
		return fmt.Errorf("%w\nwhat was logged is in %s", err, dir)
	}
	return os.RemoveAll(dir)
}

func livesOf(ctx context.Context, r *relay, cycles int) error {
	cmd, err := r.start()
	if err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for _, name := range []string{"absent", "online"} {
		s, err := startSession(ctx, "enrol", r.port, name)
		if err != nil {
			return err
		}
		s.read.Wait()
		if err := s.cmd.Wait(); err != nil {
			return fmt.Errorf("enrol %s: %w", name, err)
		}
	}
	online, err := startSession(ctx, "subscribe", r.port, "online")
	if err != nil {
		return err
	}
	defer online.end()
	publishers := map[string]*sessionClient{}
	for name, qos := range sessionPublishers {
		if publishers[name], err = startSession(ctx, "publish", r.port, name, strconv.Itoa(qos)); err != nil {
			return err
		}
		defer publishers[name].end()
	}
	for range cycles {
		if !pause(ctx, between(300*time.Millisecond, 2500*time.Millisecond)) {
			return ctx.Err()
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if cmd, err = r.start(); err != nil {
			return err
		}
	}
	for name, p := range publishers {
		if err := p.finish(); err != nil {
			return fmt.Errorf("publisher %s: %w", name, err)
		}
	}
	back, err := startSession(ctx, "subscribe", r.port, "absent")
	if err != nil {
		return err
	}
	defer back.end()
	return judgeSessions(ctx, cycles, publishers, map[string]*sessionClient{"online": online, "absent": back})
}

// judgeSessions waits until the subscribers have what was acknowledged, and looks at
// what they have.
func judgeSessions(ctx context.Context, cycles int, publishers, subscribers map[string]*sessionClient) error {
	var errs []error
	sum := 0
	for who, s := range subscribers {
		for name, p := range publishers {
			acked := p.numbers("")
			sum += len(acked)
			for end := time.Now().Add(settleTime); time.Now().Before(end) && missing(acked, s.numbers("soak/"+name)) > 0; {
				pause(ctx, 200*time.Millisecond)
			}
		}
		pause(ctx, time.Second) // for what should not come
		for name, p := range publishers {
			acked, got := p.numbers(""), s.numbers("soak/"+name)
			errs = append(errs, judgeFlow(who+", from "+name, sessionPublishers[name], acked, got))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	fmt.Printf("broker: %d kills; %d messages acknowledged for two sessions: 0 lost, none of QoS 2 twice, all in order\n", cycles, sum)
	return nil
}

func missing(acked, got []int) (n int) {
	have := map[int]bool{}
	for _, g := range got {
		have[g] = true
	}
	for _, a := range acked {
		if !have[a] {
			n++
		}
	}
	return n
}

// judgeFlow looks at what one publisher sent and one subscriber got.
func judgeFlow(what string, qos int, acked, got []int) error {
	if n := missing(acked, got); n > 0 || len(acked) == 0 {
		return fmt.Errorf("%s: %d of %d acknowledged are lost", what, n, len(acked))
	}
	var first []int
	seen := map[int]bool{}
	for _, n := range got {
		if !seen[n] {
			first = append(first, n)
		}
		seen[n] = true
	}
	if qos == 2 && len(first) < len(got) {
		return fmt.Errorf("%s: %d messages of QoS 2 came twice", what, len(got)-len(first))
	}
	if !slices.IsSorted(first) {
		return fmt.Errorf("%s: out of order", what)
	}
	return nil
}

// sessionClient is a client of another maker in a process of its own.
type sessionClient struct {
	cmd  *exec.Cmd
	in   io.Closer // goes on until this is closed
	read sync.WaitGroup

	mu    sync.Mutex
	lines []string
}

func startSession(ctx context.Context, role string, port int, args ...string) (*sessionClient, error) {
	s := &sessionClient{cmd: exec.CommandContext(ctx, "/usr/bin/python3", append([]string{"-c", pythonSession, role, strconv.Itoa(port)}, args...)...)}
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.read.Go(func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			s.mu.Lock()
			s.lines = append(s.lines, in.Text())
			s.mu.Unlock()
		}
	})
	return s, nil
}

// finish returns when the client has nothing left to do.
func (s *sessionClient) finish() error {
	_ = s.in.Close()
	limit := time.AfterFunc(settleTime, func() { _ = s.cmd.Process.Kill() })
	defer limit.Stop()
	s.read.Wait()
	return s.cmd.Wait()
}

func (s *sessionClient) end() { _ = s.finish() }

// numbers returns those of the lines that begin with topic, in order.
func (s *sessionClient) numbers(topic string) (all []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		name, text, found := strings.Cut(line, " ")
		if !found {
			name, text = "", line
		}
		if n, err := strconv.Atoi(text); err == nil && name == topic {
			all = append(all, n)
		}
	}
	return all
}
