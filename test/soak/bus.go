package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// soakBus runs the gateway on all lines for so long, prints what it takes as time
// passes, and judges it.
func soakBus(ctx context.Context, span time.Duration, verbose bool) error {
	dir, err := os.MkdirTemp("", "sluice-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	var serving sync.WaitGroup
	defer serving.Wait()
	defer cancel()
	for _, l := range lines {
		serving.Go(func() { l.serve(ctx, filepath.Join(dir, l.id)) })
	}
	site := filepath.Join(dir, "site.yaml")
	if err := os.WriteFile(site, siteFile(dir), 0o600); err != nil {
		return err
	}
	samples, err := watch(ctx, dir, site, verbose)
	if err != nil {
		return err
	}
	return judge(samples)
}

// watch runs the gateway until ctx is over and returns what it took, second by
// second. That it ends before is an error.
func watch(ctx context.Context, dir, site string, verbose bool) ([]sample, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, childName, site, filepath.Join(dir, "state"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if verbose {
		cmd.Stderr = os.Stderr
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	var samples []sample
	for in := bufio.NewScanner(out); in.Scan(); {
		s := sample{}
		if err := json.Unmarshal(in.Bytes(), &s); err != nil {
			return nil, fmt.Errorf("%w in %q", err, in.Text())
		}
		if err := errors.Join(s.lookAt(cmd.Process.Pid), s.weigh(filepath.Join(dir, "state"))); err != nil {
			return nil, err
		}
		samples = append(samples, s)
		if n := len(samples); n == 1 || n%60 == 0 {
			fmt.Printf("%5d s: %v\n", n, s)
		}
	}
	if err := cmd.Wait(); err != nil || ctx.Err() == nil {
		return nil, fmt.Errorf("the gateway ended by itself: %v", err)
	}
	return samples, nil
}
