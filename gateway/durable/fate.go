package durable

import (
	"errors"
	"time"
)

// How records meet their fates, other than by Ack.

// Settle settles the records from from up to, but not including, to as delivered,
// wherever the cursor is. Those that are not durable are left alone. It may be
// forgotten: after a crash, of what is ahead of the cursor, all but the largest
// part is in the backlog again, and when very many parts are.
func (l *Log) Settle(from, to Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, _ := l.ledger.settle(span{from, min(to, l.durable)}, delivered); n > 0 {
		l.accountChanged()
	}
}

// Ahead returns the number behind the last record that was settled as delivered
// ahead of the cursor, or 0.
func (l *Log) Ahead() Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	var end Seq
	for _, p := range l.ledger.ahead {
		if p.fate == delivered {
			end = max(end, p.to)
		}
	}
	return end
}

// Bury settles a durable record as dead: it is kept elsewhere.
func (l *Log) Bury(seq Seq) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := l.ledger.settle(span{seq, min(seq+1, l.durable)}, dead)
	if n > 0 {
		l.accountChanged()
	}
	if !ok {
		return errAhead
	}
	return nil
}

// Drop settles every durable record below upTo as lost, and returns how many had
// no fate yet.
func (l *Log) Drop(upTo Seq) uint64 {
	since := l.timeOf(l.Acked())
	l.mu.Lock()
	loss := l.drop(min(upTo, l.durable), Overflow, since)
	l.mu.Unlock()
	l.report(loss)
	return loss.Records
}

// drop settles the records below upTo, the first of which without a fate was
// appended at since, as lost. The mutex is held.
func (l *Log) drop(upTo Seq, why Reason, since millis) Loss {
	loss := Loss{From: l.ledger.acked, To: upTo, Reason: why}
	if upTo <= loss.From {
		return loss
	}
	loss.Records = l.ledger.settleAll(upTo, why.fate())
	l.lost(loss, since)
	return loss
}

// Lose counts a durable record that its reader cannot use as damaged. It fails
// when too much ahead of the cursor is settled.
func (l *Log) Lose(seq Seq) error { return l.lose(span{seq, seq + 1}, 0) }

// lose counts s, which a reader could not find, as damaged. A segment that was
// emptied under the reader is settled already, so nothing of it is counted.
func (l *Log) lose(s span, since millis) error {
	l.mu.Lock()
	s.to = min(s.to, l.durable)
	n, ok := l.ledger.settle(s, damaged)
	loss := Loss{From: s.from, To: s.to, Records: n, Reason: Damage}
	if n > 0 {
		l.lost(loss, since)
	}
	l.mu.Unlock()
	l.report(loss)
	if !ok {
		return errAhead
	}
	return nil
}

var errAhead = errors.New("too much is settled ahead of the cursor: acknowledge before reading on")

// lost notes a loss that the ledger has counted. The mutex is held.
func (l *Log) lost(loss Loss, since millis) {
	l.accountChanged()
	if loss.Records == 0 {
		return
	}
	if l.ledger.lost()-loss.Records <= l.ledger.told {
		l.ledger.gap, l.ledger.gapSince = loss.From, since
	}
	l.lastLoss, l.gapEnd = loss, max(l.gapEnd, loss.To)
}

// report logs a loss. The mutex is not held.
func (l *Log) report(loss Loss) {
	if loss.Records > 0 {
		l.opt.Log.Warn("queue lost records", "reason", loss.Reason.String(), "records", loss.Records,
			"from", uint64(loss.From), "before", uint64(loss.To))
	}
}

// Gap is records that were lost and not told of yet: Records of those from From
// up to, but not including, To.
type Gap struct {
	Records  uint64
	From, To Seq       // From is 0 when it is not known
	Since    time.Time // when From was appended, about; zero when it is not known
	Mark     uint64    // how many were lost up to here since the log was created
}

// Gap returns what was lost beyond the mark after, and not told of.
func (l *Log) Gap(after uint64) Gap {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := l.ledger.lost()
	known := max(after, l.ledger.told)
	if lost <= known {
		return Gap{Mark: known}
	}
	g := Gap{Records: lost - known, To: max(l.gapEnd, l.ledger.acked), Mark: lost}
	if after <= l.ledger.told {
		g.From, g.Since = l.ledger.gap, l.ledger.gapSince.time()
	}
	return g
}

// Told takes note that the loss g, which ended at the time until, is no news any
// more. It is remembered as the cursor is.
func (l *Log) Told(g Gap, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g.Mark <= l.ledger.told {
		return
	}
	l.ledger.told, l.ledger.gap, l.ledger.gapSince = g.Mark, 0, 0
	if l.ledger.lost() > g.Mark {
		l.ledger.gap, l.ledger.gapSince = g.To, millisOf(until)
	}
	l.accountChanged()
}

// accountChanged makes the committer save the account in time, and tries for
// room again when the oldest segment is now settled.
func (l *Log) accountChanged() {
	if l.ledger.revision == l.noted {
		l.nudge()
	}
	l.ledger.revision++
	if l.dirtySince.IsZero() {
		l.dirtySince = time.Now()
	}
	if l.full != nil && len(l.segments) > 0 && l.end(0) <= l.ledger.acked {
		l.full = nil
	}
}

// account returns what is settled, to be saved.
func (l *Log) account() account {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ledger.snapshot()
}
