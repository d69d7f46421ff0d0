package unpack_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"sluice/bridge/envelope"
	"sluice/bridge/unpack"
	"sluice/broker/topic"
)

// seal returns an envelope of the messages from to to-1.
func seal(t *testing.T, epoch uint64, from, to int) []byte {
	t.Helper()
	e := &envelope.Envelope{Source: envelope.Source{Gateway: "gw", Bridge: "cloud", Lane: "telemetry"}, Epoch: epoch, First: uint64(from)}
	for i := from; i < to; i++ {
		e.Messages = append(e.Messages, topic.Message{Topic: "v", Payload: fmt.Append(nil, epoch, "-", i), Retain: i%2 == 0})
	}
	var s envelope.Sealer
	b, err := s.Seal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// names returns what messages say.
func names(messages []topic.Message) (all []string) {
	for _, m := range messages {
		all = append(all, string(m.Payload))
	}
	return all
}

func numbers(epoch uint64, from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(epoch, "-", i))
	}
	return all
}

// rig is two brokers and the state in between.
type rig struct {
	t   *testing.T
	dir string
	cfg unpack.Config
	*fate
	origin *origin
	target *target
	stats  unpack.Stats
}

func newRig(t *testing.T, payloads ...[]byte) *rig {
	f := &fate{err: errKilled}
	r := &rig{t: t, dir: memory(t), fate: f, origin: &origin{fate: f, waiting: payloads}, target: &target{fate: f}}
	r.cfg = unpack.Config{Dir: r.dir, QoS: 2, Source: r.origin.connect, Sink: r.target.connect, Peer: "target"}
	return r
}

// memory returns a folder in memory if there is one: a kill leaves files as they
// are, and hundreds of runs would wait for the disk all the time.
func memory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "sluice-unpack-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// run runs the process until nothing waits, or it is killed, and reports whether it
// was. When the fate is not a kill it carries on.
func (r *rig) run() (killed bool) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.origin.end = cancel
	cfg := r.cfg
	connect := cfg.Sink
	cfg.Sink = func(ctx context.Context, clean bool) (unpack.Sink, bool, error) {
		if killed = r.at > 0 && r.steps >= (r.at+1)/2 && r.err == errKilled; killed {
			cancel() // what comes next is another process
			return nil, false, errKilled
		}
		return connect(ctx, clean)
	}
	u, err := unpack.New(cfg, slog.New(slog.NewTextHandler(r.t.Output(), nil)))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := u.Run(ctx); err != nil {
		r.t.Fatal(err)
	}
	r.stats = u.Stats()
	u.Close()
	if killed {
		r.at = 0
	}
	return killed
}

// course is envelopes as they come over a bad link: cut anew after each loss, in
// part again, from a second epoch, and the first once more.
func course(t *testing.T) [][]byte {
	return [][]byte{
		seal(t, 7, 1, 19), seal(t, 7, 10, 22), seal(t, 9, 22, 25), seal(t, 7, 1, 19), seal(t, 9, 24, 26),
	}
}

func wanted() []string {
	return slices.Concat(numbers(7, 1, 22), numbers(9, 22, 26))
}

// TestExactOverKills ends the process, or only the connections, at every step there
// is, with brokers that pass messages on at PUBLISH and at PUBREL.
func TestExactOverKills(t *testing.T) {
	for _, atOnce := range []bool{false, true} {
		for _, cause := range []error{errKilled, context.DeadlineExceeded} {
			for at, done := 1, false; !done; at++ {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, course(t)...)
					r.target.atOnce, r.fate.at, r.fate.err = atOnce, at, cause
					for r.run() {
					}
					if got := names(r.target.got); !slices.Equal(got, wanted()) || len(r.target.session) > 0 {
						t.Errorf("step %d, %v: got %s, %d identifiers in use", at, cause, strings.Join(got, " "), len(r.target.session))
					}
					done = at > 2*r.steps || t.Failed()
				})
			}
		}
	}
}

// TestQoS1RepeatsABatchAtMost: without QoS 2 nothing is lost, nothing out of order
// but what comes again, and that is one batch.
func TestQoS1RepeatsABatchAtMost(t *testing.T) {
	for at, done := 1, false; !done; at++ {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, course(t)...)
			r.cfg.QoS, r.fate.at = 1, at
			for r.run() {
			}
			seen, extra := []string{}, 0
			for _, n := range names(r.target.got) {
				if slices.Contains(seen, n) {
					extra++
					continue
				}
				seen = append(seen, n)
			}
			if !slices.Equal(seen, wanted()) || extra > 16 {
				t.Errorf("step %d: %d came again, otherwise %s", at, extra, strings.Join(seen, " "))
			}
			done = at > 2*r.steps || t.Failed()
		})
	}
}

// TestForgottenSession: a broker that has lost what was on its way gets it again.
func TestForgottenSession(t *testing.T) {
	for at, done := 1, false; !done; at++ {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, course(t)...)
			r.fate.at = at
			for r.run() {
				r.target.exists = false
			}
			for _, n := range wanted() {
				if !slices.Contains(names(r.target.got), n) {
					t.Errorf("step %d: %s is lost", at, n)
				}
			}
			done = at > 2*r.steps || t.Failed()
		})
	}
}

// TestStateIsGone: identifiers that an earlier state left in use at the broker are
// not taken for those of new messages.
func TestStateIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, seal(t, 7, 1, 11))
		r.fate.at = 4 // two of ten were published, none released
		r.run()
		for _, name := range []string{"peer", "journal.json"} {
			os.Remove(filepath.Join(r.dir, name))
		}
		r.origin.waiting = [][]byte{seal(t, 8, 1, 11)}
		r.run()
		if got := names(r.target.got); !slices.Equal(got, numbers(8, 1, 11)) {
			t.Errorf("got %v", got)
		}
	})
}

func TestPoisonIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, seal(t, 7, 1, 41), []byte("SLE is no envelope"), seal(t, 7, 41, 42))
		r.target.poison = "7-21"
		r.run()
		want := slices.Concat(numbers(7, 1, 21), numbers(7, 22, 42))
		if got := names(r.target.got); !slices.Equal(got, want) {
			t.Errorf("got %v", got)
		}
		files, err := filepath.Glob(filepath.Join(r.dir, "aside", "*"))
		if err != nil || len(files) != 2 || r.stats.Aside != 2 || r.stats.Envelopes != 3 {
			t.Errorf("set aside %v, %v; stats %+v", files, err, r.stats)
		}
	})
}

// TestEvictionIsNoPoison: a second client of the same name ends connections, too.
func TestEvictionIsNoPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, seal(t, 7, 1, 41))
		r.target.evicted = 30
		r.run()
		if got := names(r.target.got); !slices.Equal(got, numbers(7, 1, 41)) || r.stats.Aside != 0 {
			t.Errorf("got %v, stats %+v", got, r.stats)
		}
	})
}

func TestStateIsForOne(t *testing.T) {
	r := newRig(t)
	u, err := unpack.New(r.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unpack.New(r.cfg, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("two use the same state")
	}
	if err := u.Close(); err != nil {
		t.Error(err)
	}
}

// TestDamagedLedger: it is never taken for an empty one.
func TestDamagedLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, seal(t, 7, 1, 11))
		file := filepath.Join(r.dir, "sources", "gw.cloud.telemetry.json")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		connects := 0
		r.cfg.Sink = func(ctx context.Context, clean bool) (unpack.Sink, bool, error) {
			if connects++; connects == 10 {
				if len(r.target.got) > 0 || len(r.origin.waiting) != 1 {
					t.Errorf("%d messages went on, %d envelopes wait", len(r.target.got), len(r.origin.waiting))
				}
				os.Remove(file)
			}
			return r.target.connect(ctx, clean)
		}
		r.run()
		if got := names(r.target.got); !slices.Equal(got, numbers(7, 1, 11)) {
			t.Errorf("got %v", got)
		}
	})
}
