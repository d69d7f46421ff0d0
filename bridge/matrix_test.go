package bridge_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// matrix is everything that fails between a publisher and upstream, what the bridge
// does then, and the tests that hold it to that: "package/TestName", or a script of
// the end-to-end tests.
var matrix = []struct {
	fault, promise string
	tests          []string
}{
	{"the power is cut at any moment",
		"nothing acknowledged is lost or out of order, nothing is invented",
		[]string{"test/crash/TestPowerCuts", "test/outage/TestSchedules", "gateway/durable/TestNotedCursorAndPowerCut"}},
	{"the process is killed",
		"the same; sent again is at most a window and what was acknowledged in the last 10 ms",
		[]string{"kill.txtar", "gateway/durable/TestCursorOutlivesAKill", "test/soak/TestVerdict"}},
	{"the end of the log is torn or zero",
		"whole commits before it count, it opens",
		[]string{"gateway/durable/TestDamage", "gateway/durable/TestEveryBitCounts"}},
	{"the middle is damaged; a header, a segment or the cursor is lost",
		"exactly what is hit is skipped and counted; without a cursor there are only duplicates",
		[]string{"gateway/durable/TestDamage", "gateway/durable/TestHeaderIsHealed", "gateway/durable/TestDamagedCursorSlot", "bridge/TestLossIsReported"}},
	{"the queue is as large as it may be",
		"publishers are refused, or the oldest goes, is counted, and upstream is told",
		[]string{"bridge/queue/TestFullLane", "gateway/durable/TestRejectAtTheLimit", "gateway/durable/TestDropOldestAtTheLimit", "bridge/TestOfferReportsARefusal"}},
	{"somebody else fills the disk",
		"publishers are refused, all else goes on, it recovers by itself, the cursor can be written",
		[]string{"full-tmpfs.txtar", "full-ext4.txtar", "gateway/durable/TestDiskFull", "gateway/durable/TestReserve"}},
	{"a sync fails, the disk fails or is read-only",
		"nothing of that commit is acknowledged, what waits is written elsewhere, and tried again",
		[]string{"broken-disk.txtar", "mounted-anew.txtar", "gateway/durable/TestGoesOnWhereItsPathLeads", "gateway/durable/TestFailedSync", "gateway/durable/TestFailedSyncThenKilled", "gateway/durable/TestFailedDisk"}},
	{"the disk cannot be read",
		"a lane is never taken for empty; the others run",
		[]string{"gateway/durable/TestReadErrorAtStart", "gateway/durable/TestReadError", "bridge/queue/TestDiskAwayAtStart", "bridge/TestUnreadableLaneLetsWhatIsOwedLand"}},
	{"flash is slow",
		"commits grow, memory does not, publishers wait",
		[]string{"gateway/durable/TestAppendWaitsForTheDisk", "broker/TestOwedIsBounded"}},
	{"the clock jumps, or is that of 1970",
		"order and cursor have nothing to do with it",
		[]string{"bridge/queue/TestClock"}},
	{"there is no way to upstream, for seconds or days",
		"it is looked for at little cost, and found soon",
		[]string{"outage.txtar", "bridge/TestLooksEagerlyForAWay", "bridge/TestLinkUpEndsTheWait", "gateway/durable/TestFilesAndDescriptorsAreBounded"}},
	{"a connection is half-open",
		"it is replaced within seconds of the way being back",
		[]string{"bridge/TestHalfOpenIsReplaced", "bridge/upstream/TestHalfOpenIsNoticed"}},
	{"the link fades and comes back",
		"the connection is kept, nothing is sent again",
		[]string{"bridge/TestFadeIsSatOut"}},
	{"the link needs longer for a message than upstream waits",
		"that one is set aside; no endless loop",
		[]string{"test/outage/TestMessageTooLongForTheLink", "bridge/upstream/TestSlowLinkIsNotSilent"}},
	{"upstream does not bear a message",
		"it becomes a dead letter after three connections that last without it, counted; nothing else does",
		[]string{"bridge/TestPoisonIsSetAside", "bridge/TestPoisonBehindOthersIsSetAside", "bridge/TestNoDeadLettersWhereConnectionsAreShort", "bridge/TestPoisonInAnEnvelope", "bridge/queue/TestBury"}},
	{"upstream refuses this gateway: name, password, certificate",
		"it says what to change, waits up to a minute between attempts, and keeps the queue",
		[]string{"bridge/TestBacksOffFromABrokerThatRefuses", "bridge/upstream/TestDialSaysWhatToChange", "bridge/upstream/TestTLSSaysWhatToChange"}},
	{"upstream takes messages and never acknowledges",
		"the connection is given up, and not begun again all the time",
		[]string{"bridge/TestBrokerThatStopsAcknowledging", "bridge/TestWatchdogEndsASilentConnection"}},
	{"a second gateway has the same client identifier",
		"it is said, and the two meet about once a minute",
		[]string{"bridge/TestSameClientIDTwice", "bridge/TestShortConnectionsBackOff"}},
	{"upstream has forgotten this gateway, or is an old copy of itself",
		"sessions are clean: what counts is the cursor here",
		[]string{"bridge/upstream/TestConnectPacket", "bridge/TestResendsFromTheCursor"}},
	{"the unpacker at the far end is killed, or one of its connections lost",
		"each message is there once, and in order",
		[]string{"envelope.txtar", "bridge/unpack/TestExactOverKills", "bridge/unpack/TestStateIsGone"}},
	{"another version wrote the queue",
		"a format that is not known is left alone, a message that is not known is counted",
		[]string{"gateway/durable/TestUnknownVersion", "bridge/queue/TestEarlierLayout", "bridge/queue/TestRecordOfALaterVersion"}},
	{"the limit becomes smaller",
		"what is beyond it is dropped and counted, or drained first",
		[]string{"gateway/durable/TestShrunkLimit"}},
}

// TestEveryFaultHasATest fails where the matrix names a test that does not exist.
func TestEveryFaultHasATest(t *testing.T) {
	for _, row := range matrix {
		if len(row.tests) == 0 {
			t.Errorf("no test where %s", row.fault)
		}
		for _, name := range row.tests {
			if !exists(t, name) {
				t.Errorf("where %s, there is no %s", row.fault, name)
			}
		}
	}
}

func exists(t *testing.T, name string) bool {
	if strings.HasSuffix(name, ".txtar") {
		_, err := os.Stat(filepath.Join("../test/e2e/testdata/script", name))
		return err == nil
	}
	folder, function := filepath.Split(name)
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+function+"(t *testing.T)") {
			return true
		}
	}
	return false
}
