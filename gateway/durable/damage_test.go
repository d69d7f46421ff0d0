package durable_test

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/gateway/durable"
	"sluice/gateway/durable/durabletest"
)

const (
	page      = 4096
	frameSize = 2136 // of two records of 1000 bytes
)

// damageCase is one row: what happens to a log of 80 records in segments of 22,
// 22, 22 and 14, two to a frame, of which 10 are acknowledged.
type damageCase struct {
	name   string
	dirty  bool // the process was killed
	damage func(d *durabletest.Disk, segs []string)

	lost  []durable.Seq // counted
	next  durable.Seq   // number of the next record
	acked durable.Seq   // cursor after opening
}

func flip(file string, off int64) func(*durabletest.Disk) {
	return func(d *durabletest.Disk) {
		d.Edit(file, func(b []byte) []byte { b[off] ^= 0x10; return b })
	}
}

func zero(d *durabletest.Disk, file string, from, to int) {
	d.Edit(file, func(b []byte) []byte { clear(b[from:to]); return b })
}

func truncate(d *durabletest.Disk, file string, size int) {
	d.Edit(file, func(b []byte) []byte { return b[:size] })
}

func damageCases() []damageCase {
	type disk = durabletest.Disk
	cut := func(file int, n int) func(*disk, []string) {
		return func(d *disk, segs []string) { truncate(d, segs[file], n) }
	}
	flipAt := func(file int, off int64) func(*disk, []string) {
		return func(d *disk, segs []string) { flip(segs[file], off)(d) }
	}
	zeroAt := func(file, from, to int) func(*disk, []string) {
		return func(d *disk, segs []string) { zero(d, segs[file], from, to) }
	}
	bothHeaders := func(file int) func(*disk, []string) {
		return func(d *disk, segs []string) {
			zero(d, segs[file], 0, page)
			zero(d, segs[file], 7*page, 8*page)
		}
	}
	remove := func(file int) func(*disk, []string) {
		return func(d *disk, segs []string) { d.Delete(segs[file]) }
	}
	return []damageCase{
		{name: "none", damage: func(*disk, []string) {}, next: 81, acked: 11},
		{name: "none, killed", dirty: true, damage: func(*disk, []string) {}, next: 81, acked: 1},
		{name: "bit in a body", damage: flipAt(1, page+2*frameSize+700), lost: seqs(27, 29), next: 81, acked: 11},
		{name: "bit in a frame head", damage: flipAt(1, page+2*frameSize+26), lost: seqs(27, 29), next: 81, acked: 11},
		{name: "bit in a frame magic", damage: flipAt(1, page+2*frameSize), lost: seqs(27, 29), next: 81, acked: 11},
		{name: "bit in the first frame", damage: flipAt(1, page+9), lost: seqs(23, 25), next: 81, acked: 11},
		{name: "bit in the last frame of a segment", damage: flipAt(1, page+10*frameSize+9), lost: seqs(43, 45), next: 81, acked: 11},
		{name: "bit in what was acknowledged", damage: flipAt(0, page+9), next: 81, acked: 11},
		{name: "page of zeros", damage: zeroAt(1, 2*page, 3*page), lost: seqs(25, 31), next: 81, acked: 11},
		{name: "page of zeros in the newest", damage: zeroAt(3, 2*page, 3*page), lost: seqs(69, 75), next: 81, acked: 11},
		{name: "all frames of a segment", damage: zeroAt(1, page, 7*page), lost: seqs(23, 45), next: 81, acked: 11},
		{name: "first header", damage: zeroAt(1, 0, page), next: 81, acked: 11},
		{name: "second header", damage: zeroAt(1, 7*page, 8*page), next: 81, acked: 11},
		{name: "both headers", damage: bothHeaders(1), lost: seqs(23, 45), next: 81, acked: 11},
		{name: "first header of the newest", damage: zeroAt(3, 0, page), next: 81, acked: 11},
		{name: "first header of the newest, killed", dirty: true, damage: zeroAt(3, 0, page), next: 81, acked: 1},
		{name: "both headers of the newest", damage: bothHeaders(3), lost: seqs(67, 81), next: 81, acked: 11},
		{name: "both headers of the newest, killed", dirty: true, damage: bothHeaders(3), lost: seqs(67, 81), next: 81, acked: 1},
		{name: "oldest segment missing", damage: remove(0), lost: seqs(11, 23), next: 81, acked: 23},
		{name: "segment missing", damage: remove(1), lost: seqs(23, 45), next: 81, acked: 11},
		{name: "two segments missing", damage: func(d *disk, s []string) { d.Delete(s[1]); d.Delete(s[2]) }, lost: seqs(23, 67), next: 81, acked: 11},
		{name: "newest segment missing", damage: remove(3), lost: seqs(67, 81), next: 81, acked: 11},
		{name: "all segments missing", damage: func(d *disk, s []string) {
			for _, name := range s {
				d.Delete(name)
			}
		}, lost: seqs(11, 81), next: 81, acked: 81},
		{name: "last frame", damage: flipAt(3, page+6*frameSize+99), lost: seqs(79, 81), next: 81, acked: 11},
		{name: "last frame, killed", dirty: true, damage: flipAt(3, page+6*frameSize+99), next: 79, acked: 1},
		{name: "torn tail", damage: cut(3, page+7*frameSize-100), lost: seqs(79, 81), next: 81, acked: 11},
		{name: "padding of the last frame", damage: cut(3, page+7*frameSize-2), lost: seqs(79, 81), next: 81, acked: 11},
		{name: "newest segment empty", damage: cut(3, 0), lost: seqs(67, 81), next: 81, acked: 11},
		{name: "sealed segment cut short", damage: cut(1, page+9*frameSize+5), lost: seqs(41, 45), next: 81, acked: 11},
		{name: "segments swapped", damage: func(d *disk, s []string) {
			var a, b []byte
			d.Edit(s[1], func(old []byte) []byte { a = slices.Clone(old); return old })
			d.Edit(s[2], func(old []byte) []byte { b = slices.Clone(old); return a })
			d.Edit(s[1], func([]byte) []byte { return b })
		}, lost: seqs(23, 67), next: 81, acked: 11},
		{name: "newest cursor slot", damage: func(d *disk, _ []string) {
			zero(d, "cursor", 0, 64) // the second write of two; the first was made when the log was created
		}, next: 81, acked: 1},
		{name: "cursor zeroed", damage: func(d *disk, _ []string) { zero(d, "cursor", 0, 2*page) }, next: 81, acked: 1},
		{name: "cursor missing", damage: func(d *disk, _ []string) { d.Delete("cursor") }, next: 81, acked: 1},
		{name: "cursor empty", damage: func(d *disk, _ []string) { truncate(d, "cursor", 0) }, next: 81, acked: 1},
	}
}

func TestDamage(t *testing.T) {
	for _, tt := range damageCases() {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testDamage(t, tt) })
		})
	}
}

func testDamage(t *testing.T, tt damageCase) {
	disk := durabletest.New(1)
	log := open(t, disk, small)
	frames(t, log, 40, 2, 1000)
	log.Ack(11)
	if tt.dirty {
		disk.Kill() // before the cursor was saved
	}
	log.Close()
	tt.damage(disk, segmentsOf(disk))

	log = open(t, disk, small)
	if got := log.Acked(); got != tt.acked {
		t.Errorf("cursor %d, want %d", got, tt.acked)
	}
	want := slices.DeleteFunc(seqs(tt.acked, tt.next), func(s durable.Seq) bool { return slices.Contains(tt.lost, s) })
	for range 2 { // damage that is seen again is not counted again
		if got := readAll(t, log); !slices.Equal(got, want) {
			t.Errorf("read %v\nwant %v", got, want)
		}
	}
	checkDamage(t, log, tt)

	// The log goes on behind the damage, and nobody waits for what is lost.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := log.WaitFor(ctx, tt.next-1); len(tt.lost) > 0 && tt.lost[len(tt.lost)-1] == tt.next-1 && err == nil {
		t.Errorf("WaitFor(%d) found a lost record", tt.next-1)
	}
	if seq := add(t, log, 1000); seq != tt.next {
		t.Errorf("next record got %d, want %d", seq, tt.next)
	}
	wait(t, log, tt.next)
	if got := readAll(t, log); !slices.Equal(got, append(want, tt.next)) {
		t.Errorf("read %v with one more", got)
	}
	checkDamage(t, log, tt)
	log.Ack(tt.next + 1)
	checkDamage(t, log, tt)
	log.Close()
	log = open(t, disk, small)
	if s := checkDamage(t, log, tt); s.Backlog != 0 || s.Delivered != uint64(tt.next)-uint64(len(tt.lost)) {
		t.Errorf("at the end: %+v", s)
	}
}

func checkDamage(t *testing.T, log *durable.Log, tt damageCase) durable.Stats {
	t.Helper()
	s := checkAccount(t, log)
	if s.Damage != uint64(len(tt.lost)) || s.Overflow != 0 {
		t.Errorf("damage %d, overflow %d, want %d and none", s.Damage, s.Overflow, len(tt.lost))
	}
	return s
}

// TestUnknownVersion: the log does not open and touches nothing.
func TestUnknownVersion(t *testing.T) {
	for _, which := range []string{"cursor", "segment"} {
		synctest.Test(t, func(t *testing.T) {
			disk := durabletest.New(1)
			log := open(t, disk, small)
			frames(t, log, 2, 2, 1000)
			log.Close()
			name, offs := "cursor", []int{0, page}
			if which == "segment" {
				name, offs = segmentsOf(disk)[0], []int{0, 7 * page}
			}
			disk.Edit(name, func(b []byte) []byte {
				for _, off := range offs {
					fromTheFuture(b[off : off+64])
				}
				return b
			})
			before := disk.Stats()
			_, err := durable.OpenFS(disk.Start(), small)
			if !errors.Is(err, durable.ErrVersion) {
				t.Errorf("%s: %v", which, err)
			}
			if after := disk.Stats(); after.Writes != before.Writes || after.Syncs != before.Syncs {
				t.Errorf("%s: something was written", which)
			}
		})
	}
}

// fromTheFuture makes a stamp one of version 3.
func fromTheFuture(b []byte) {
	binary.LittleEndian.PutUint32(b[8:], 3)
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.LittleEndian.PutUint32(b[12:], crc32.Update(crc32.Checksum(b[:12], table), table, b[16:]))
}

// TestPayloadCannotPretendToBeAFrame: frames copied into a payload are not
// found behind a damaged one.
func TestPayloadCannotPretendToBeAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, small)
		frames(t, log, 2, 2, 1000)
		var fake []byte
		disk.Edit(segmentsOf(disk)[0], func(b []byte) []byte {
			fake = slices.Clone(b[page : page+2*frameSize])
			return b
		})
		for i := range fake { // at every alignment, with numbers that would fit
			if string(fake[i:min(i+4, len(fake))]) == "SLQF" {
				binary.LittleEndian.PutUint64(fake[i+24:], 5)
			}
		}
		for range 8 {
			seq, err := log.Append(append(fake, 0))
			if err != nil {
				t.Fatal(err)
			}
			wait(t, log, seq)
			fake = append([]byte{0}, fake...)
		}
		log.Close()
		disk.Edit(segmentsOf(disk)[0], func(b []byte) []byte { b[page+2*frameSize] = 0; return b })
		log = open(t, disk, small)
		r := log.NewReader(5)
		if rec, ok, err := r.Next(); !ok || err != nil || rec.Seq != 6 {
			t.Errorf("got record %d, %v, %v; want 6", rec.Seq, ok, err)
		}
		if s := checkAccount(t, log); s.Damage != 1 {
			t.Errorf("damage %d", s.Damage)
		}
	})
}

// TestLose: a reader may declare a record unusable.
func TestLose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := open(t, durabletest.New(1), small)
		frames(t, log, 2, 2, 10)
		for _, seq := range []durable.Seq{2, 2, 99} {
			if err := log.Lose(seq); err != nil {
				t.Error(err)
			}
		}
		log.Ack(5)
		if s := checkAccount(t, log); s.Damage != 1 || s.Delivered != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// TestDamagedCursorSlot: the other slot is one interval older.
func TestDamagedCursorSlot(t *testing.T) {
	for slot, want := range []durable.Seq{6, 11} {
		synctest.Test(t, func(t *testing.T) {
			disk := durabletest.New(1)
			log := open(t, disk, small)
			frames(t, log, 10, 2, 1000)
			for _, acked := range []durable.Seq{6, 11} { // generations 2 and 3
				log.Ack(acked)
				time.Sleep(5 * time.Second)
				synctest.Wait()
			}
			disk.Kill()
			log.Close()
			zero(disk, "cursor", (1-slot)*page, (1-slot)*page+64)
			if got := open(t, disk, small).Acked(); got != want {
				t.Errorf("without slot %d: cursor %d, want %d", 1-slot, got, want)
			}
		})
	}
}

// TestHeaderIsHealed: opening repairs a copy, so that losing the other later
// costs nothing.
func TestHeaderIsHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, small)
		frames(t, log, 2, 2, 1000)
		for _, copyAt := range []int{0, 7 * page, 0} {
			log.Close()
			zero(disk, segmentsOf(disk)[0], copyAt, copyAt+page)
			log = open(t, disk, small)
			if got := readAll(t, log); !slices.Equal(got, seqs(1, 5)) {
				t.Errorf("read %v", got)
			}
		}
	})
}
