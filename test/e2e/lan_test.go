//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// way is how a client speaks to the broker.
type way struct {
	version   string // of MQTT
	transport string // as in a URL
}

func (w way) secure() bool { return w.transport == "mqtts" || w.transport == "wss" }

func (w way) webSocket() bool { return strings.HasPrefix(w.transport, "ws") }

// lanPeers are the clients of other makers, and the ways that each is tested in.
var lanPeers = []struct {
	name string
	open launcher
	ways []way
	deaf bool // to what comes before it has taken note of CONNACK, as messages kept for it do
}{
	{"mosquitto_pub and mosquitto_sub", mosquittoClient, []way{{"3.1.1", "mqtt"}, {"3.1.1", "mqtts"}, {"5", "mqtts"}}, false},
	{"Paho for Python", pahoPython, []way{{"3.1.1", "mqtts"}, {"5", "mqtt"}, {"3.1.1", "ws"}, {"5", "wss"}}, false},
	{"Paho for C", pahoC, []way{{"3.1.1", "mqtts"}, {"5", "mqtt"}, {"3.1.1", "ws"}, {"5", "wss"}}, false},
	{"MQTT.js", mqttJS, []way{{"3.1.1", "mqtts"}, {"5", "mqtt"}, {"3.1.1", "ws"}, {"5", "wss"}}, false},
	{"Node-RED", nodeRED, []way{{"3.1.1", "wss"}, {"5", "mqtts"}}, true},
}

// lanRows are what each client does in each way.
var lanRows = []struct {
	name string
	do   func(*lanTrial) error
}{
	{"QoS 0", func(l *lanTrial) error { return l.echo("0") }},
	{"QoS 1", func(l *lanTrial) error { return l.echo("1") }},
	{"QoS 2", func(l *lanTrial) error { return l.echo("2") }},
	{"retained message", (*lanTrial).retained},
	{"will of a killed client", (*lanTrial).will},
	{"messages while away, in order", (*lanTrial).session},
	{"certificate of another authority", (*lanTrial).otherAuthority},
	{"wrong password", (*lanTrial).wrongPassword},
	{"topics that are denied", (*lanTrial).denied},
}

var errNotApplicable = errors.New("not applicable")

// TestLANClients has clients of other makers use the LAN broker of a gateway that
// runs, and prints a table for each.
func TestLANClients(t *testing.T) {
	for _, p := range lanPeers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			b := startLANBroker(t)
			results := map[way][]string{}
			for _, w := range p.ways {
				for _, row := range lanRows {
					results[w] = append(results[w], attempt(t, &lanTrial{broker: b, open: p.open, deaf: p.deaf, way: w}, row.name, row.do))
				}
			}
			b.nothingDenied()
			printTable(p.name, p.ways, results)
		})
	}
}

// attempt returns what stands in the table.
func attempt(t *testing.T, l *lanTrial, name string, do func(*lanTrial) error) string {
	l.broker.trials++
	l.t, l.id = t, fmt.Sprintf("c%d", l.broker.trials)
	err := do(l)
	l.end()
	switch {
	case errors.Is(err, errNotApplicable):
		return "-"
	case err != nil:
		t.Errorf("%s, MQTT %s over %s: %v\n%s", name, l.way.version, l.way.transport, err, l.transcript())
		return "FAILED"
	}
	return "ok"
}

func printTable(name string, ways []way, results map[way][]string) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\n%s", name)
	for _, w := range ways {
		fmt.Fprintf(table, "\t%s %s", w.transport, w.version)
	}
	for i, row := range lanRows {
		fmt.Fprintf(table, "\n  %s", row.name)
		for _, w := range ways {
			fmt.Fprintf(table, "\t%s", results[w][i])
		}
	}
	fmt.Fprintln(table)
	table.Flush()
	fmt.Fprint(os.Stdout, text.String())
}

// lanTrial is one row in one way.
type lanTrial struct {
	t       *testing.T
	broker  *lanBroker
	open    launcher
	deaf    bool
	way     way
	id      string
	clients []*lanClient
}

// topic is one that this trial has to itself.
func (l *lanTrial) topic(name string) string { return "lan/" + l.id + "/" + name }

func (l *lanTrial) echo(qos string) error {
	c, err := l.join("echo")
	if err != nil {
		return err
	}
	return errors.Join(c.publish(l.topic("echo/x"), qos, "0", "hello"), c.message(l.topic("echo/x"), qos, "0", "hello"))
}

func (l *lanTrial) retained() error {
	c, err := l.join("publisher")
	if err != nil {
		return err
	}
	if err := c.publish(l.topic("kept/x"), "1", "1", "hello"); err != nil {
		return err
	}
	late, err := l.connect(lanOptions{id: "kept", clean: true})
	return errors.Join(err, late.message(l.topic("kept/x"), "1", "1", "hello"))
}

func (l *lanTrial) will() error {
	watcher, err := l.join("wills")
	if err != nil {
		return err
	}
	victim, err := l.connect(lanOptions{id: "victim", clean: true, will: l.topic("wills/victim")})
	if err != nil {
		return err
	}
	victim.kill()
	return watcher.message(l.topic("wills/victim"), "1", "0", "gone")
}

func (l *lanTrial) session() error {
	if l.deaf {
		return errNotApplicable
	}
	const messages = 10 // half of them at QoS 1, then the others at QoS 2
	qos := func(i int) string { return fmt.Sprint(1 + 2*i/messages) }
	kept := lanOptions{id: "kept"}
	c, err := l.connect(kept)
	if err != nil {
		return err
	}
	if err := errors.Join(c.publish(l.topic("kept/ready"), "1", "0", "x"), c.message(l.topic("kept/ready"), "1", "0", "x")); err != nil {
		return err
	}
	c.leave()
	other, err := l.join("other")
	if err != nil {
		return err
	}
	for i := range messages {
		if err := other.publish(l.topic("kept/x"), qos(i), "0", fmt.Sprint(i)); err != nil {
			return err
		}
	}
	kept.resumed = true
	if c, err = l.connect(kept); err != nil {
		return err
	}
	for i := range messages {
		if err := c.message(l.topic("kept/x"), qos(i), "0", fmt.Sprint(i)); err != nil {
			return err
		}
	}
	return nil
}

func (l *lanTrial) otherAuthority() error {
	if !l.way.secure() {
		return errNotApplicable
	}
	c := l.start(lanOptions{id: "x", clean: true, ca: l.broker.otherCA})
	return c.event("refused", "?")
}

func (l *lanTrial) wrongPassword() error {
	c := l.start(lanOptions{id: "x", clean: true, password: "wrong"})
	return c.event("refused", map[string]string{"3.1.1": "4", "5": "134"}[l.way.version])
}

// denied subscribes to a topic without the right to it, and publishes to it: an
// older client can't be told, and is disconnected.
func (l *lanTrial) denied() error {
	o := lanOptions{id: "mine", clean: true, filters: []string{"secret/#", l.topic("mine/#")}}
	c := l.start(o)
	refusal := map[string]string{"3.1.1": "128", "5": "135"}[l.way.version]
	if err := errors.Join(c.event("connected", "0"), c.event("subscribed", refusal+",2")); err != nil {
		return err
	}
	l.broker.publish("secret/x", "not for "+l.id)
	l.broker.publish(l.topic("mine/x"), "marker")
	if err := c.message(l.topic("mine/x"), "1", "0", "marker"); err != nil {
		return err
	}
	c.write("publish", "secret/x", "1", "0", "denied")
	if l.way.version == "5" {
		return c.event("published", "135")
	}
	return c.event("lost")
}

// join connects a client that gets what is below its own name, and waits until it
// does.
func (l *lanTrial) join(name string) (*lanClient, error) {
	c, err := l.connect(lanOptions{id: name, clean: true})
	if err != nil {
		return nil, err
	}
	ready := l.topic(name + "/ready")
	return c, errors.Join(c.publish(ready, "1", "0", "x"), c.message(ready, "1", "0", "x"))
}

func (l *lanTrial) connect(o lanOptions) (*lanClient, error) {
	c := l.start(o)
	present := map[bool]string{false: "0", true: "1"}[o.resumed]
	return c, errors.Join(c.event("connected", present), c.event("subscribed", "2"))
}

func (l *lanTrial) start(o lanOptions) *lanClient {
	if o.filters == nil {
		o.filters = []string{l.topic(o.id + "/#")}
	}
	o.id = l.id + "-" + o.id
	c := startClient(l.t, l.open(l.t), l.broker, l.way, o)
	l.clients = append(l.clients, c)
	return c
}

func (l *lanTrial) end() {
	for _, c := range slices.Backward(l.clients) {
		c.kill()
	}
}

func (l *lanTrial) transcript() string {
	var all strings.Builder
	for _, c := range l.clients {
		fmt.Fprintf(&all, "%s said:\n%s", c.id, c.said.String())
	}
	return all.String()
}
