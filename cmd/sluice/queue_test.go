package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/bridge/queue"
	"sluice/broker/topic"
	"sluice/configs"
	"sluice/gateway"
)

// queueSite is a site with a bridge whose queue holds five messages: the first is
// delivered, the second a dead letter, the last no text.
func queueSite(t *testing.T) (site, state string) {
	t.Helper()
	dir := t.TempDir()
	site, state = filepath.Join(dir, "site.yaml"), filepath.Join(dir, "state")
	text := configs.Minimal + "bridges:\n  - {id: cloud, url: \"mqtt://127.0.0.1:11883\", send: [{match: \"#\"}]}\n"
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(queue.Config{Dir: gateway.QueueDir(state, "cloud")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	lane := q.Lane(queue.Telemetry)
	var seq queue.Seq
	for i := range 5 {
		m := topic.Message{Topic: fmt.Sprintf("plant/%d", i+1), Payload: fmt.Appendf(nil, "value %d", i+1), QoS: 1}
		if i == 4 {
			m.Payload = []byte{0xff, 0x00}
		}
		if seq, err = lane.Append(m, time.UnixMilli(1_700_000_000_000+int64(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := lane.Wait(t.Context(), seq); err != nil {
		t.Fatal(err)
	}
	lane.Ack(2)
	rec, _, err := lane.NewReader().Next()
	if err == nil {
		err = lane.Bury(t.Context(), rec, "topic is not allowed")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	return site, state
}

// TestQueue goes through the verbs; what one changes the next one sees.
func TestQueue(t *testing.T) {
	site, state := queueSite(t)
	for _, tt := range []struct {
		args     string
		code     int
		out, err string // contained in what is printed; empty: nothing is
	}{
		{"ls", exitOK, "cloud/telemetry  3        2023-11-14T22:13:20Z  5         1          0     1", ""},
		{"ls -state " + state, exitOK, "cloud/dead       1 ", ""},
		{"ls -state " + state + "/none", exitFailed, "", "hint: name the state folder"},
		{"stats", exitOK, "cloud/telemetry: appended 5 = delivered 1 + lost 0 (overflow 0, age 0, damage 0; upstream not told of 0) + dead 1 + waiting 3", ""},
		{"stats -json", exitOK, `"lane":"telemetry","appended":5,"delivered":1,"lost_overflow":0`, ""},
		{"show cloud/telemetry", exitOK, "3    2023-11-14T22:13:20.002Z  plant/3  1    false   7      value 3", ""},
		{"show cloud/telemetry -from 5", exitOK, `"\xff\x00"`, ""},
		{"show cloud/telemetry -frames", exitOK, "0000000000000001.seg  base 1", ""},
		{"show cloud/telemetry -frames", exitOK, "1 to 5  240 bytes", ""},
		{"export cloud/telemetry -n 1", exitOK, `{"seq":3,"ts":"2023-11-14T22:13:20.002Z","topic":"plant/3","qos":1,"retain":false,"payload":"value 3"}` + "\n", ""},
		{"export cloud/telemetry -from 5", exitOK, `"payload_base64":"/wA="`, ""},
		{"dead cloud", exitOK, "topic is not allowed", ""},
		{"export cloud/dead", exitOK, `"topic":"plant/2","qos":1,"retain":false,"payload":"value 2","why":"topic is not allowed","lane":"telemetry"`, ""},
		{"resend cloud -from 9", exitOK, "0 dead letters back", ""},
		{"resend cloud", exitOK, "1 dead letter back in the queue", ""},
		{"show cloud/telemetry -from 6", exitOK, "plant/2", ""},
		{"ls", exitOK, "cloud/dead       0 ", ""},
		{"drop cloud/telemetry -before 4", exitOK, "1 message given up", ""},
		{"stats", exitOK, "appended 6 = delivered 1 + lost 1 (overflow 1, age 0, damage 0; upstream not told of 1) + dead 1 + waiting 3", ""},
		{"drop cloud/telemetry -all", exitOK, "3 messages given up", ""},
		{"drop cloud/telemetry", exitUsage, "", "-before N"},
		{"drop cloud/nothing -all", exitUsage, "", "lanes are alarm"},
		{"show cloud", exitUsage, "", "a lane: BRIDGE/LANE"},
		{"show other/telemetry", exitFailed, "", "hint: `sluice queue ls`"},
		{"dead cloud/telemetry", exitUsage, "", "the name of a bridge"},
		{"ls cloud", exitUsage, "", "no name"},
		{"", exitUsage, "", "a word more"},
		{"peel", exitUsage, "", "no `sluice queue peel`"},
	} {
		var out, err bytes.Buffer
		args := append([]string{"queue"}, strings.Fields(tt.args)...)
		if !strings.Contains(tt.args, "-state") {
			args = append(args, "-c", site)
		}
		code := run(t.Context(), args, terminal{&out, &err})
		if code != tt.code {
			t.Errorf("%s: exit code %d, want %d\n%s%s", tt.args, code, tt.code, &out, &err)
		}
		for what, text := range map[string][2]string{"out": {out.String(), tt.out}, "err": {err.String(), tt.err}} {
			if !strings.Contains(text[0], text[1]) || text[1] == "" && text[0] != "" {
				t.Errorf("%s: %s is\n%s\nwant %q", tt.args, what, text[0], text[1])
			}
		}
	}
}

// TestQueueOfARunningGateway: it can be read, not changed, and the refusal says by
// whom and what to do.
func TestQueueOfARunningGateway(t *testing.T) {
	site, state := queueSite(t)
	q, err := queue.Open(queue.Config{Dir: gateway.QueueDir(state, "cloud")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"queue", "show", "cloud/telemetry", "-c", site}, terminal{&out, &errs}); code != exitOK || !strings.Contains(out.String(), "plant/3") {
		t.Errorf("show: %d\n%s%s", code, &out, &errs)
	}
	code := run(t.Context(), []string{"queue", "drop", "cloud/telemetry", "-all", "-c", site}, terminal{&out, &errs})
	if want := fmt.Sprintf("process %d", os.Getpid()); code != exitFailed || !strings.Contains(errs.String(), want) {
		t.Errorf("drop: %d\n%s, want %s", code, &errs, want)
	}
}
