package mqtt_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// proof shows by packets that the broker keeps a statement in a version of the
// protocol.
type proof func(t *testing.T, v byte)

func (p proof) name() string {
	full := runtime.FuncForPC(reflect.ValueOf(p).Pointer()).Name()
	return full[strings.LastIndexByte(full, '.')+1:]
}

// statement is one numbered statement of a specification: in our words, with what
// shows it, or why nothing can.
type statement struct {
	id     string
	says   string
	shown  []proof
	reason string
}

func shown(id, says string, by ...proof) statement { return statement{id: id, says: says, shown: by} }

func unshown(id, says, reason string) statement { return statement{id: id, says: says, reason: reason} }

// Why a statement has no packets.
const (
	ofClients   = "binds clients only"
	ofLeftOut   = "about something optional that the broker leaves out"
	ofTransport = "about the transport below, which is TCP in every test"
	ofRoles     = "about what a product has to be, not about packets"
)

// specification is all statements of one version.
type specification struct {
	name       string
	version    byte
	statements []statement
	gaps       []string // numbers that the specification itself passes over
}

func specifications() []specification {
	return []specification{
		{name: "MQTT 3.1.1", version: 4, statements: statements311()},
		{name: "MQTT 5.0", version: 5, statements: statements5(), gaps: []string{"2.2.1-1"}},
	}
}

// outcomes are the proofs that have run, and whether they held.
type outcomes struct {
	mu   sync.Mutex
	held map[string]bool
}

func (o *outcomes) set(name string, held bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held[name] = held
}

// TestStatements runs every proof once for each version that needs it, then counts.
func TestStatements(t *testing.T) {
	total, proven := 0, 0
	for _, spec := range specifications() {
		o := &outcomes{held: map[string]bool{}}
		t.Run(strings.ReplaceAll(spec.name, " ", "-"), func(t *testing.T) { prove(t, spec, o) })
		n := 0
		for _, s := range spec.statements {
			if o.keeps(s) {
				n++
			}
		}
		t.Logf("%s: %d of %d statements shown, %d with a reason why not", spec.name, n, len(spec.statements), len(spec.statements)-n)
		total, proven = total+len(spec.statements), proven+n
	}
	wantInReadme(t, fmt.Sprintf("Of the %d normative statements of MQTT 3.1.1 and 5.0, %d are shown by packets and %d have a reason why not",
		total, proven, total-proven))
}

// prove runs the proofs of one version side by side and waits for them.
func prove(t *testing.T, spec specification, o *outcomes) {
	begun := map[string]bool{}
	for _, s := range spec.statements {
		for _, p := range s.shown {
			name := p.name()
			if begun[name] {
				continue
			}
			begun[name] = true
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				t.Cleanup(func() { o.set(name, !t.Failed()) })
				p(t, spec.version)
			})
		}
	}
}

// keeps reports whether all that shows s held.
func (o *outcomes) keeps(s statement) bool {
	for _, p := range s.shown {
		if !o.held[p.name()] {
			return false
		}
	}
	return len(s.shown) > 0
}

func wantInReadme(t *testing.T, sentence string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(strings.Fields(string(readme)), " "), sentence) {
		t.Errorf("README.md should say: %s", sentence)
	}
}

// TestTable: statements are numbered from 1 without gaps, in order, each says
// something of its own, and has proofs or a reason.
func TestTable(t *testing.T) {
	for _, spec := range specifications() {
		last, number := "", 0
		skip := map[string]bool{}
		for _, id := range spec.gaps {
			skip[id] = true
		}
		for _, s := range spec.statements {
			section, n := split(t, s.id)
			if section != last {
				last, number = section, 0
			}
			for number++; skip[fmt.Sprintf("%s-%d", section, number)]; number++ {
			}
			if n != number {
				t.Errorf("%s: %s where %s-%d should be", spec.name, s.id, section, number)
			}
			if s.says == "" || (len(s.shown) == 0) == (s.reason == "") {
				t.Errorf("%s: %s needs words, and either proofs or a reason", spec.name, s.id)
			}
		}
	}
}

func split(t *testing.T, id string) (section string, n int) {
	t.Helper()
	m := regexp.MustCompile(`^(\d+(?:\.\d+)+)-(\d+)$`).FindStringSubmatch(id)
	if m == nil {
		t.Fatalf("%q is no number of a statement", id)
	}
	_, _ = fmt.Sscan(m[2], &n)
	return m[1], n
}
