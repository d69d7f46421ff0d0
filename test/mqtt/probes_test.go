package mqtt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"sluice/broker"
)

// probe is one of the cases in which brokers were seen to fail, with what shows
// that this one does not: proofs that run here, and tests of package broker.
type probe struct {
	what   string
	here   []proof
	beside []string
}

func probes() []probe {
	return []probe{
		{"a stalled subscriber of QoS 1 holds up nobody", nil, []string{"TestStalledSubscriber", "TestStallTimeout"}},
		{"many publishers to one subscriber lock nothing up", nil, []string{"TestManyPublishers"}},
		{"a stalled client can be taken over", nil, []string{"TestTakeoverOfStalled"}},
		{"a slow subscriber gets 20,000 messages in order", nil, []string{"TestSlowSubscriber"}},
		{"20,000 retained messages arrive", nil, []string{"TestAllRetained", "TestRetainedBurst"}},
		{"what waited for a client comes in order, without DUP", []proof{messagesWaitForClient}, []string{"TestSlowSubscriber"}},
		{"a storm of connects loses nothing", nil, []string{"TestReconnectStorm"}},
		{"QoS 2 is exactly once over lost connections", []proof{repeatedQoS2IsOneMessage, qos2IsFinished}, []string{"TestQoS2OverDrops", "TestQoS2AcrossConnections"}},
		{"packet identifiers of the two directions are two sets", []proof{directionsHaveTheirOwnIdentifiers}, []string{"TestPacketIdentifiers"}},
		{"the receive maximum holds, live and after an absence", []proof{receiveMaximumIsMinded}, []string{"TestReceiveMaximum"}},
		{"a message too large for the client does not poison its session", []proof{smallPacketsAreMinded}, []string{"TestMaximumPacket"}},
		{"topic aliases end with the connection, and unknown ones are refused", []proof{aliasesAreWithinBounds}, nil},
		{"every form of filter finds retained messages", []proof{wildcardsMatch}, []string{"TestRetainedFilters"}},
		{"a keep alive of one second is minded, not less", []proof{silentClientIsCut}, []string{"TestKeepalive"}},
		{"a CONNECT that never comes is not waited for", []proof{connectIsNotAwaitedForEver}, []string{"TestTurnedAway"}},
		{"huge CONNECTs take no memory", []proof{hugeConnectsTakeNoMemory}, []string{"TestTurnedAway"}},
		{"a very deep topic is refused at once", []proof{deepTopicsAreRefused}, []string{"TestFilters"}},
		{"wills to $SYS or a wildcard are refused, an empty one is sent", []proof{badWillsAreRefused, emptyWillIsSent}, []string{"TestRefusedWills"}},
		{"DISCONNECT with reason 4 sends the will", []proof{willSurvivesOtherDisconnect}, nil},
		{"a message that is denied is answered or ends the connection", []proof{unauthorizedIsNotRouted, quotaIsAnswered}, []string{"TestProtected", "TestRights"}},
		{"PUBACK has a reason of its own list, and no text on success", []proof{answersFollowQoS}, nil},
		{"a message without expiry gets none", []proof{propertiesArePassedOn, expiryCountsDown}, nil},
	}
}

// TestProbes runs what is here, and looks for the tests that are not.
func TestProbes(t *testing.T) {
	names := testsOf(t, "../../broker")
	for _, p := range probes() {
		if len(p.here)+len(p.beside) == 0 {
			t.Errorf("%s: nothing shows it", p.what)
		}
		for _, name := range p.beside {
			if !strings.Contains(names, "\nfunc "+name+"(t *testing.T)") {
				t.Errorf("%s: package broker has no %s", p.what, name)
			}
		}
		for _, show := range p.here {
			if !ofStatements(show) {
				t.Run(show.name(), func(t *testing.T) { show(t, 5) })
			}
		}
	}
}

// ofStatements reports whether TestStatements runs a proof.
func ofStatements(p proof) bool {
	for _, s := range statements5() {
		for _, shown := range s.shown {
			if shown.name() == p.name() {
				return true
			}
		}
	}
	return false
}

// testsOf returns the source of a package's tests.
func testsOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(source)
	}
	return all.String()
}

// directionsHaveTheirOwnIdentifiers: the client uses the one that the broker has in
// flight to it, for all that has one.
func directionsHaveTheirOwnIdentifiers(t *testing.T, v byte) {
	s := plain(t, v)
	c, _ := s.resume("c")
	c.subscribe(subscription("a", 2))
	s.enter("").publish(message{topic: "a", payload: "x", qos: 2})
	m := c.read()
	c.publish(message{topic: "b", payload: "y", qos: 1, id: m.id})
	c.publish(message{topic: "b", payload: "y", qos: 2, id: m.id})
	c.write(c.subscribePacket(m.id, nil, subscription("b", 1)))
	if got := c.codes(tSUBACK, m.id); got[0] != 1 {
		t.Errorf("SUBACK % x", got)
	}
	c.lose()
	c, _ = s.resume("c")
	if again := c.wantMessage("a", "x"); again.id != m.id || !again.dup {
		t.Errorf("came again as %+v", again)
	}
}

func connectIsNotAwaitedForEver(t *testing.T, v byte) {
	s := serve(t, v, broker.Config{Limits: broker.Limits{ConnectTimeout: 100 * time.Millisecond}})
	whole := s.form().connectPacket(session{flags: clean})
	for n := range whole {
		c := s.open()
		c.write(whole[:n])
		c.wantEnd()
	}
}

// hugeConnectsTakeNoMemory: ten clients say that they will send 256 MiB, and begin.
func hugeConnectsTakeNoMemory(t *testing.T, v byte) {
	s := plain(t, v)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	chunk := make([]byte, 64<<10)
	for range 10 {
		c := s.open()
		c.offer(raw(tCONNECT, 0xff, 0xff, 0xff, 0x7f), text("MQTT"), raw(v, clean), u16(0), c.props(), u16(0xffff))
		for range 16 {
			_, _ = c.nc.Write(chunk)
		}
		c.wantEnd()
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
		t.Errorf("%d bytes were allocated", took)
	}
	s.enter("").sync()
}

func deepTopicsAreRefused(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.enter("")
	deep := strings.Repeat("a/", 32_000)
	for i, filter := range []string{deep + "#", strings.Repeat("+/", 32_000) + "#", "$share/g/" + deep} {
		if got := c.subscribe(subscription(filter, 0)); got[0] != 0x8f {
			t.Errorf("filter %d: SUBACK % x", i, got)
		}
	}
	c.write(c.publishPacket(message{topic: deep + "a", payload: "x", qos: 1, id: 3}))
	c.wantAck(tPUBACK, 3, 0x90)
	c.subscribe(subscription("a", 0))
}

func badWillsAreRefused(t *testing.T, v byte) {
	s := plain(t, v)
	for topic, reason := range map[string]byte{"$SYS/a": 0x87, "$sys/a": 0x87, "a/#": 0x90, "+": 0x90, "": 0x90} {
		c := s.form()
		s.refuse(0, reason, c.connectPacket(session{flags: clean | withWill, payload: c.willPayload(topic, "x")}))
	}
}

func emptyWillIsSent(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("#", 0)
	for i := range 3 {
		topic := fmt.Sprint("gone/", i)
		c := s.open()
		c.connect(session{flags: clean | withWill, payload: c.willPayload(topic, "")})
		c.lose()
		sub.wantMessage(topic, "")
	}
}
