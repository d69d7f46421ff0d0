package command_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/topic"
	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	simdevice "sluice/drivers/sim/device"
	"sluice/gateway/command"
	"sluice/mapping/layout"
)

func set(payload string) topic.Message {
	return topic.Message{Topic: speed, Payload: []byte(payload), QoS: 1}
}

// brief is a result in a line.
func brief(r command.Result) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.ID, r.Outcome, r.Value, r.Reason))
}

func TestResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		defer r.close()
		for _, tt := range []struct {
			message topic.Message
			want    string
		}{
			{set("17"), "ok 17"},
			{set(` {"value": 18, "id": "a"} `), "a ok 18"},
			{set(`{"value":"19","id":"b","user":"me"}`), "b ok 19"},
			{topic.Message{Topic: "plant/pump/on/set", Payload: []byte("ON")}, "ok true"},
			{topic.Message{Topic: "plant/pump/on/set", Payload: []byte(`{"value":false}`)}, "ok false"},
			{topic.Message{Topic: "plant/pump/on/set", Payload: []byte(`{"value":2}`)}, `rejected  "2" is neither true nor false`},
			{set("60001"), "rejected  60001 is not from 0 to 60000"},
			{set("fast"), `rejected  "fast" is not a number`},
			{set("nan"), `rejected  "nan" is not a number`},
			{set(""), `rejected  "" is not a number`},
			{set(`{"id":"c"}`), "c rejected  there is no value in it"},
			{set(`{"id":"d","value":[1]}`), "d rejected  the value is no number, text, true or false"},
			{set(`{"id":"e","value":1,"max_age":0}`), "e rejected  max_age is 0: it is in milliseconds, and above 0"},
			{set(`{"value":1`), "rejected  this is no command in JSON: unexpected end of JSON input"},
			{set(strings.Repeat(" ", 5000)), "rejected  a command is 4096 bytes at most"},
			{set(`{"value":1,"id":"` + strings.Repeat("x", 65) + `"}`), "rejected  an id is 64 bytes at most"},
			{topic.Message{Topic: speed, Payload: []byte("1"), Retain: true}, "rejected  retained commands are not carried out"},
			{set(`{"value":21,"ts":@-9000}`), "ok 21"},
			{set(`{"value":22,"max_age":5000,"ts":@-5000}`), "expired  it is too old"},
			{set(`{"value":23,"max_age":3600000,"ts":@-12000}`), "expired  it is too old"},
			{set(`{"value":24,"ts":@+11000}`), "rejected  it was sent 11s in the future"},
		} {
			tt.message.Payload = timed(tt.message.Payload)
			if got := brief(r.send(tt.message)); got != tt.want {
				t.Errorf("%.60s: %s, want %s", tt.message.Payload, got, tt.want)
			}
		}
		if r.holding(2) != 21 {
			t.Error("the register holds", r.holding(2))
		}
	})
}

// timed fills in times: @-9000 is 9 s ago.
func timed(payload []byte) []byte {
	return relative.ReplaceAllFunc(payload, func(ms []byte) []byte {
		n, _ := strconv.Atoi(string(ms[1:]))
		return strconv.AppendInt(nil, time.Now().UnixMilli()+int64(n), 10)
	})
}

var relative = regexp.MustCompile(`@[-+][0-9]+`)

// TestFaults has the device, the line and the clock in the way.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(*rig)
		payload string
		want    string
		writes  int
	}{
		{"offline", func(r *rig) { r.offline = true }, `{"value":5,"id":"a"}`, "a failed  the device is offline", 0},
		{"silent", func(r *rig) { r.line.SetFaults(sim.Faults{Silent: 1}) }, `{"value":5,"id":"a"}`, "a unknown  timeout", 1},
		{"damaged", func(r *rig) { r.line.SetFaults(sim.Faults{Drop: 1}) }, `{"value":5,"id":"a"}`, "a unknown  damaged reply", 1},
		{"busy", func(r *rig) { r.line.SetFaults(sim.Faults{Busy: 1}) }, `5`, "refused  exception 6 (server device busy)", 0},
		{"refuses", func(r *rig) { r.config.Points[0].Register.Address = 99 }, `5`, "refused  exception 2 (illegal data address)", 0},
		{"limits", func(r *rig) { r.device.clamp = 4 }, `5`, "failed 4 the device confirmed it, and holds another value", 1},
		{"clock", func(r *rig) { r.synced = false }, `{"value":5,"ts":@-1}`,
			"rejected  the gateway's clock is not synchronised, so that the age of the command is not known; leave out ts", 0},
		{"clock not needed", func(r *rig) { r.synced = false }, `{"value":5}`, "ok 5", 1},
		{"not verified", func(r *rig) { r.config.Points[0].Write.Verify = false }, `5`, "ok", 1},
		{"rests", func(r *rig) { r.config.Rest = time.Second }, `5`, "ok 5", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tt.prepare(r)
				r.start()
				defer r.close()
				if got := brief(r.send(set(string(timed([]byte(tt.payload)))))); got != tt.want || r.writes(5) != tt.writes {
					t.Errorf("%s after %d writes, want %s", got, r.writes(5), tt.want)
				}
			})
		})
	}
}

// TestPart writes a few bits of a register, by reading the rest first and by a mask.
func TestPart(t *testing.T) {
	for _, function := range []modbus.Function{0, modbus.MaskWriteRegister} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			l, err := layout.New(layout.Config{Type: layout.Uint16, Bits: layout.Bits{Low: 4, Width: 4}})
			if err != nil {
				t.Fatal(err)
			}
			p := &r.config.Points[0]
			p.Layout, p.Write.Function, p.Write.Max = l, function, 15
			r.device.Memory[simdevice.Holding][2] = 0xABCD
			r.start()
			defer r.close()
			if got := brief(r.send(set("3"))); got != "ok 3" || r.holding(2) != 0xAB3D {
				t.Errorf("function %d: %s, %#x", function, got, r.holding(2))
			}
		})
	}
}

// TestExpiresInTheQueue has commands wait behind one whose device is in doubt.
func TestExpiresInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.config.NoCanary, r.config.Timeout = true, 4*time.Second
		r.start()
		defer r.close()
		r.line.SetFaults(sim.Faults{Silent: 1})
		for _, payload := range []string{"1", "2", "3"} {
			if _, err := r.Tap(set(payload)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		var got []string
		for _, out := range r.taken() {
			got = append(got, brief(out))
		}
		want := "unknown  timeout, expired  it could not go out in time, expired  it is too old"
		if strings.Join(got, ", ") != want || r.writes(1) != 1 || r.writes(2)+r.writes(3) != 0 {
			t.Errorf("%q, want %s", got, want)
		}
	})
}

func TestSameID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.dir = filepath.Join(t.TempDir(), "commands")
		r.start()
		first := r.send(set(`{"value":7,"id":"x"}`))
		if again := r.send(set(`{"value":8,"id":"x"}`)); brief(again) != brief(first) || again.Time != first.Time {
			t.Error("the second result is another:", brief(again))
		}
		r.stopped()
		r.start()
		defer r.close()
		if again := r.send(set(`{"value":7,"id":"x"}`)); brief(again) != "x ok 7" || again.Time != first.Time || r.writes(7) != 1 || r.writes(8) != 0 {
			t.Error("after a restart:", brief(again), r.writes(7), "writes")
		}
		if other := r.send(topic.Message{Topic: "plant/pump/on/set", Payload: []byte(`{"value":1,"id":"x"}`)}); brief(other) != "x ok true" {
			t.Error("the id is that of another point:", brief(other))
		}
	})
}

// TestUnknownAfterAKill opens the journal as a kill leaves it while a write is on
// the wire.
func TestUnknownAfterAKill(t *testing.T) {
	dir, killed := filepath.Join(t.TempDir(), "commands"), filepath.Join(t.TempDir(), "killed")
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.dir, r.config.Timeout = dir, 8*time.Second
		r.line.SetFaults(sim.Faults{Silent: 1})
		r.start()
		defer r.close()
		if _, err := r.Tap(set(`{"value":7,"id":"x"}`)); err != nil {
			t.Fatal(err)
		}
		for r.writes(7) == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.dir = killed
		r.start()
		defer func() { r.close() }()
		time.Sleep(time.Second)
		synctest.Wait()
		out := r.taken()
		if len(out) != 1 || brief(out[0]) != "x unknown  the gateway ended while it was under way" {
			t.Fatalf("%+v", out)
		}
		if again := r.send(set(`{"value":7,"id":"x"}`)); brief(again) != brief(out[0]) || r.writes(7) != 0 {
			t.Error(brief(again), r.writes(7), "writes")
		}
		r.stopped()
		r.start()
		time.Sleep(time.Second)
		synctest.Wait()
		for _, again := range r.taken() { // it may be told again, and is the same
			if brief(again) != brief(out[0]) {
				t.Error(brief(again))
			}
		}
	})
}

func TestStopEndsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.line.SetFaults(sim.Faults{Silent: 1})
		r.start()
		for _, payload := range []string{"1", "2", "3"} {
			if _, err := r.Tap(set(payload)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		r.close()
		var got []string
		for _, out := range r.taken() {
			got = append(got, brief(out))
		}
		if want := "unknown  timeout, failed  the gateway stops, or reads its site file again, failed  the gateway stops, or reads its site file again"; strings.Join(got, ", ") != want {
			t.Errorf("%q, want %s", got, want)
		}
	})
}

func TestTapIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		defer r.close()
		refused := 0
		for range 200 {
			if _, err := r.Tap(set("1")); err != nil {
				refused++
			}
		}
		if refused < 100 {
			t.Error("refused", refused)
		}
		if _, err := r.Tap(topic.Message{Topic: "plant/pump/speed"}); err != nil {
			t.Error(err)
		}
	})
}

// TestJournalIsBounded makes sure that the last thousand are known, and no more.
func TestJournalIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.dir, r.offline = filepath.Join(t.TempDir(), "commands"), true
		r.start()
		defer func() { r.close() }()
		for i := range 1100 {
			for {
				if _, err := r.Tap(set(fmt.Sprintf(`{"value":1,"id":"%d"}`, i))); err == nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		r.taken()
		r.stopped()
		r.start()
		r.offline = false
		for _, want := range []string{"1099 failed  the device is offline", "100 failed  the device is offline", "99 ok 1"} {
			id, _, _ := strings.Cut(want, " ")
			if got := brief(r.send(set(`{"value":1,"id":"` + id + `"}`))); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	})
}

func FuzzCommand(f *testing.F) {
	for _, seed := range []string{"1", `{"value":1,"id":"a","max_age":5,"ts":1}`, `{"value":"x"}`, "{", `{"value":{}}`, "1e400", `{"value":1,"ts":-9223372036854775808}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.start()
			defer r.close()
			if out := r.send(set(string(payload))); out.Outcome != command.OK && out.Reason == "" {
				t.Errorf("%+v", out)
			}
		})
	})
}
