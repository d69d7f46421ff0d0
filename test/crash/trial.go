package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/gateway/durable"
	"sluice/gateway/durable/durabletest"
)

// trial is the model that a log is compared with. All steps wait until the
// committer is idle, so a seed always does the same.
type trial struct {
	t    *testing.T
	seed uint64
	kind kind
	rand *rand.Rand
	disk *durabletest.Disk
	opt  durable.Options

	content map[durable.Seq][]string // as appended; the numbers of lost ones are used again
	gone    map[durable.Seq]bool     // settled ahead of the cursor, which may be forgotten
	safe    durable.Seq              // all below are known to be durable
	acked   durable.Seq              // the highest cursor ever given
	lives   int
	log     *durable.Log

	tally
}

// tally is what trials came to.
type tally struct {
	cuts, kills, waited         int
	rewrites, overflow, expired uint64
}

func (a *tally) add(b tally) {
	a.cuts += b.cuts
	a.kills += b.kills
	a.waited += b.waited
	a.rewrites += b.rewrites
	a.overflow += b.overflow
	a.expired += b.expired
}

func (a tally) String() string {
	return fmt.Sprintf("%d power cuts, %d kills, %d records acknowledged, %d frames rewritten, %d dropped at the limit, %d for their age",
		a.cuts, a.kills, a.waited, a.rewrites, a.overflow, a.expired)
}

func newTrial(t *testing.T, seed uint64) *trial {
	tr := &trial{
		t: t, seed: seed, kind: kind(seed % uint64(kinds)),
		rand:    rand.New(rand.NewPCG(seed, 2)),
		disk:    durabletest.New(seed),
		content: map[durable.Seq][]string{},
		gone:    map[durable.Seq]bool{},
		safe:    1, acked: 1,
	}
	tr.opt = durable.Options{
		SegmentBytes: 32 << 10,
		MaxBytes:     []int64{128 << 10, 1 << 20}[tr.rand.IntN(2)],
		CommitDelay:  10 * time.Millisecond,
		CursorEvery:  50 * time.Millisecond,
		WhenFull:     []durable.WhenFull{durable.Reject, durable.DropOldest}[tr.rand.IntN(2)],
		Keep:         []time.Duration{0, 0, 300 * time.Millisecond}[tr.rand.IntN(3)],
		Reserve:      []int64{0, 96 << 10}[tr.rand.IntN(2)],
	}
	return tr
}

func (tr *trial) fatalf(format string, args ...any) {
	tr.t.Helper()
	tr.disk.Kill()
	if tr.log != nil {
		tr.log.Close() // or its goroutine would hide the message
	}
	tr.t.Fatalf("seed %d, life %d: %s", tr.seed, tr.lives, fmt.Sprintf(format, args...))
}

// life opens the log, uses it until the process is dead, and leaves the disk as
// a power cut or a kill does.
func (tr *trial) life() {
	tr.lives++
	log, err := durable.OpenFS(tr.disk.Start(), tr.opt)
	tr.log = log
	synctest.Wait()
	if err == nil {
		tr.checkStart(log)
		r := log.NewReader(log.Acked())
		for step := 0; tr.disk.Alive() && step < 100; step++ {
			tr.step(log, r)
			synctest.Wait()
		}
		tr.rewrites += log.Stats().Rewrites
	}
	tr.end(log)
}

func (tr *trial) end(log *durable.Log) {
	clean := tr.rand.IntN(4) == 0
	if log != nil && clean && log.Close() == nil {
		tr.isSafe(durable.Seq(log.Stats().Appended + 1))
	}
	if tr.rand.IntN(3) == 0 {
		tr.disk.Kill()
		tr.kills++
	} else {
		tr.disk.Cut()
		tr.cuts++
	}
	if log != nil {
		log.Close()
	}
	if m := tr.disk.Stats().Misuse; len(m) > 0 {
		tr.fatalf("misuse of the disk: %v", m)
	}
}

func (tr *trial) step(log *durable.Log, r *durable.Reader) {
	switch tr.rand.IntN(9) {
	case 8:
		tr.settle(log)
	case 0, 1, 2, 3:
		tr.write(log)
	case 4, 5:
		tr.read(log, r)
	case 6:
		time.Sleep(time.Duration(tr.rand.IntN(100)) * time.Millisecond)
	case 7:
		r.Seek(log.Acked())
		if log.Stats().Failed != nil {
			time.Sleep(5 * time.Second)
		}
	}
	tr.checkAccount(log)
}

func (tr *trial) write(log *durable.Log) {
	var last durable.Seq
	for range 1 + tr.rand.IntN(6) {
		next := durable.Seq(log.Stats().Appended + 1)
		rec := tr.record(next)
		seq, err := log.Append(rec)
		if err != nil {
			break
		}
		if seq != next {
			tr.fatalf("got number %d instead of %d", seq, next)
		}
		tr.content[seq], last = append(tr.content[seq], string(rec)), seq
		synctest.Wait()
	}
	if last == 0 || tr.rand.IntN(5) == 0 {
		return
	}
	if log.Wait(tr.t.Context(), last) == nil {
		tr.waited += int(last + 1 - tr.safe)
		tr.isSafe(last + 1)
	}
}

// isSafe notes that the records below end are durable as appended last.
func (tr *trial) isSafe(end durable.Seq) {
	for ; tr.safe < end; tr.safe++ {
		c := tr.content[tr.safe]
		tr.content[tr.safe] = c[len(c)-1:]
	}
}

// record is recognisable by number and life, and now and then large.
func (tr *trial) record(seq durable.Seq) []byte {
	n := tr.rand.IntN(900)
	if tr.rand.IntN(20) == 0 {
		n = tr.rand.IntN(8 << 10)
	}
	head := fmt.Appendf(nil, "record %d of life %d ", seq, tr.lives)
	return append(head, bytes.Repeat([]byte{byte(seq)}, n)...)[:n]
}

func (tr *trial) read(log *durable.Log, r *durable.Reader) {
	var last durable.Seq
	for range tr.rand.IntN(12) {
		rec, ok, err := r.Next()
		if err != nil && tr.disk.Alive() && tr.kind != readErrors {
			tr.fatalf("read: %v", err)
		}
		if err != nil || !ok {
			break
		}
		tr.checkRecord(rec)
		last = rec.Seq
	}
	if last > 0 && tr.rand.IntN(2) == 0 {
		log.Ack(last + 1)
		tr.acked = max(tr.acked, log.Acked())
	}
}

// settle delivers or buries records wherever they are, or tells of what is lost.
func (tr *trial) settle(log *durable.Log) {
	acked, end := log.Acked(), log.Stats().Durable
	if gap := log.Gap(0); gap.Records > 0 && tr.rand.IntN(2) == 0 {
		log.Told(gap, time.Now())
		return
	}
	if end <= acked {
		return
	}
	from := acked + durable.Seq(tr.rand.IntN(int(end-acked)))
	to := from + 1
	if tr.rand.IntN(2) == 0 {
		to += durable.Seq(tr.rand.IntN(10))
		log.Settle(from, to)
	} else if err := log.Bury(from); err != nil {
		tr.fatalf("bury: %v", err)
	}
	for ; from < min(to, end); from++ {
		tr.gone[from] = true
	}
	tr.acked = max(tr.acked, log.Acked())
}

// checkRecord also notes which one of a number it was: it stays that one.
func (tr *trial) checkRecord(rec durable.Record) {
	if !slices.Contains(tr.content[rec.Seq], string(rec.Data)) {
		tr.fatalf("record %d is not what was appended", rec.Seq)
	}
	tr.content[rec.Seq] = []string{string(rec.Data)}
}

func (tr *trial) checkAccount(log *durable.Log) {
	s := log.Stats()
	if s.Appended != s.Delivered+s.Overflow+s.Expired+s.Damage+s.Dead+s.Backlog {
		tr.fatalf("account does not close: %+v", s)
	}
	if s.Damage != 0 {
		tr.fatalf("damage was invented: %+v", s)
	}
}

// checkStart reads everything that should be there. What a log finds when it is
// opened is durable.
func (tr *trial) checkStart(log *durable.Log) {
	tr.checkAccount(log)
	s := log.Stats()
	if durable.Seq(s.Appended+1) < tr.safe {
		tr.fatalf("records %d to %d are gone", s.Appended+1, tr.safe-1)
	}
	if tr.opt.WhenFull == durable.Reject && tr.opt.Keep == 0 && log.Acked() > tr.acked {
		tr.fatalf("cursor %d is beyond %d", log.Acked(), tr.acked)
	}
	r := log.NewReader(log.Acked())
	for next := log.Acked(); next <= durable.Seq(s.Appended); next++ {
		rec, ok, err := r.Next()
		for range 100 {
			if err == nil || tr.kind != readErrors || !tr.disk.Alive() {
				break
			}
			rec, ok, err = r.Next() // the same comes next
		}
		if !tr.disk.Alive() {
			return
		}
		for tr.gone[next] && (!ok || rec.Seq > next) {
			next++
		}
		if !ok && err == nil && next > durable.Seq(s.Appended) {
			break
		}
		if err != nil || !ok {
			tr.fatalf("record %d of %d: %v, %v", next, s.Appended, ok, err)
		}
		if rec.Seq != next {
			tr.fatalf("got record %d instead of %d", rec.Seq, next)
		}
		tr.checkRecord(rec)
	}
	tr.isSafe(durable.Seq(s.Appended + 1))
	tr.checkAccount(log)
}

// lastLife checks once more, on a good disk, and that the log goes on.
func (tr *trial) lastLife() {
	tr.lives++
	log, err := durable.OpenFS(tr.disk.Start(), tr.opt)
	if err != nil {
		tr.fatalf("open: %v", err)
	}
	tr.log = log
	synctest.Wait() // what is too old goes first
	tr.checkStart(log)
	tr.overflow, tr.expired = log.Stats().Overflow, log.Stats().Expired
	log.Ack(durable.Seq(log.Stats().Appended + 1))
	seq, err := log.Append([]byte("last"))
	if err == nil {
		err = log.Wait(context.Background(), seq)
	}
	if err != nil {
		tr.fatalf("the log does not go on: %v", err)
	}
	if err := log.Close(); err != nil {
		tr.fatalf("close: %v", err)
	}
	if m := tr.disk.Stats().Misuse; len(m) > 0 {
		tr.fatalf("misuse of the disk: %v", m)
	}
}
