package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sluice/bridge/queue"
	"sluice/broker/topic"
)

// openedVariable names the folder of the queue that this process is to open, when
// it is the child that measures opening.
const openedVariable = "SLUICE_BENCH_OPEN"

// queues measures what the queue of a bridge costs flash and publishers, and what
// opening it costs with a backlog.
func queues(ctx context.Context, o options) ([]row, error) {
	if dir := os.Getenv(openedVariable); dir != "" {
		return nil, openQueue(dir)
	}
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var rows []row
	for _, measure := range []func(context.Context, options, string) ([]row, error){flash, acknowledging, opening} {
		more, err := measure(ctx, o, dir)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// report is a message of 200 bytes.
func report(n uint64) topic.Message {
	return topic.Message{Topic: "plant/main-meter/power", Payload: fmt.Appendf(nil, "%178d", n), QoS: 1}
}

// flash counts the bytes that reach the medium for each message, acknowledged
// upstream as fast as it comes. As root they are those of a block device, journal
// included; else those that were written, which are fewer.
func flash(ctx context.Context, o options, dir string) ([]row, error) {
	commits := 1000
	if o.short {
		commits = 100
	}
	var rows []row
	for _, batch := range []int{1, 20, 200} {
		err := onDevice(filepath.Join(dir, "flash"), func(path, kind string, written func() (uint64, error)) error {
			q, err := queue.Open(telemetry(path, queue.Limits{MaxBytes: 32 << 20, CommitDelay: time.Millisecond}), nil)
			if err != nil {
				return err
			}
			defer q.Close()
			lane := q.Lane(queue.Telemetry)
			send := func(commits int) error {
				for range commits {
					var seq queue.Seq
					for range batch {
						if seq, err = lane.Append(report(uint64(seq)), time.Now()); err != nil {
							return err
						}
					}
					if err := lane.Wait(ctx, seq); err != nil {
						return err
					}
					lane.Ack(seq + 1)
				}
				return nil
			}
			if err := send(100 + 40_000/batch/20); err != nil { // until segments are used again
				return err
			}
			before, err := written()
			if err != nil {
				return err
			}
			own := lane.Stats()
			if err := send(commits); err != nil {
				return err
			}
			after, err := written()
			if err != nil {
				return err
			}
			n := float64(commits * batch)
			if kind == "" {
				after, before, kind = lane.Stats().FlashBytes, own.FlashBytes, "written"
			}
			rows = append(rows, row{"queue", "sluice", fmt.Sprintf("%d to a commit, %s", batch, kind), figures{
				"flash_B/msg":  float64(after-before) / n,
				"syncs/commit": float64(lane.Stats().Syncs-own.Syncs) / float64(commits),
			}})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func telemetry(path string, l queue.Limits) queue.Config {
	return queue.Config{Dir: path, Lanes: map[queue.Name]queue.Limits{queue.Telemetry: l}}
}

// onDevice calls use with a folder on an ext4 of its own, and with how many bytes
// its device has taken; without root with a plain folder, and kind empty.
func onDevice(dir string, use func(path, kind string, written func() (uint64, error)) error) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if os.Geteuid() != 0 {
		return use(dir, "", func() (uint64, error) { return 0, nil })
	}
	image := dir + ".image"
	defer os.Remove(image)
	for _, args := range [][]string{
		{"truncate", "-s", "128M", image},
		{"mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image},
		{"mount", "-o", "loop", image, dir},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", args, err, out)
		}
	}
	defer func() { err = errors.Join(err, exec.Command("umount", dir).Run()) }()
	source, err := exec.Command("findmnt", "-n", "-o", "SOURCE", dir).Output()
	if err != nil {
		return err
	}
	stat := filepath.Join("/sys/block", filepath.Base(strings.TrimSpace(string(source))), "stat")
	return use(filepath.Join(dir, "queue"), "ext4", func() (uint64, error) { return sectorsWritten(stat) })
}

// sectorsWritten reads the seventh figure of a block device, in bytes.
func sectorsWritten(stat string) (uint64, error) {
	text, err := os.ReadFile(stat)
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(text))
	if len(f) < 7 {
		return 0, fmt.Errorf("%s: %q", stat, text)
	}
	n, err := strconv.ParseUint(f[6], 10, 64)
	return 512 * n, err
}

// opened is what the child prints.
type opened struct {
	Milliseconds, MiB float64
	Backlog           uint64
}

// opening opens a queue with a backlog of 1 GiB in a process of its own.
func opening(ctx context.Context, o options, dir string) ([]row, error) {
	size := int64(1 << 30)
	if o.short {
		size /= 10
	}
	path := filepath.Join(dir, "backlog")
	q, err := queue.Open(telemetry(path, queue.Limits{MaxBytes: 2 * size}), nil)
	if err != nil {
		return nil, err
	}
	lane := q.Lane(queue.Telemetry)
	for n := uint64(0); int64(n)*204 < size && err == nil; n++ {
		_, err = lane.Append(report(n), time.Now())
	}
	if err = errors.Join(err, q.Close()); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "queue")
	cmd.Env = append(os.Environ(), openedVariable+"="+path)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil && out.Len() == 0 {
		return nil, err
	}
	var got opened
	if err := json.Unmarshal(bytes.TrimSpace(out.Bytes()), &got); err != nil {
		return nil, err
	}
	return []row{{"queue", "sluice", fmt.Sprintf("open with %d MiB, %d messages", size>>20, got.Backlog),
		figures{"open_ms": got.Milliseconds, "more_RSS_MiB": got.MiB}}}, nil
}

// openQueue opens the lanes of a queue and prints what that took.
func openQueue(dir string) error {
	before, start := resident(), time.Now()
	q, err := queue.Open(telemetry(dir, queue.Limits{MaxBytes: 4 << 30}), nil)
	if err != nil {
		return err
	}
	_, _, err = q.Lane(queue.Telemetry).NewReader().Next()
	took, after := time.Since(start), resident()
	got := opened{took.Seconds() * 1000, float64(after-before) / (1 << 20), q.Lane(queue.Telemetry).Stats().Backlog}
	return errors.Join(err, json.NewEncoder(os.Stdout).Encode(got), q.Close())
}

// resident is the memory of this process in bytes.
func resident() int {
	text, _ := os.ReadFile("/proc/self/statm")
	f := strings.Fields(string(text))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(f[1])
	return pages * os.Getpagesize()
}
