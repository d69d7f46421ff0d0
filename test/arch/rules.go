package arch

// sluice returns the rules of this repository. Whoever adds a package, a library
// or a top-level entry adds it here, in the same commit, with the reason.
func sluice() Rules {
	return Rules{
		Module: "sluice",
		Top: []Top{
			{"the families of packages; another would need another reason to exist",
				[]string{"cmd", "gateway", "drivers", "mapping", "broker", "bridge", "test"}},
			{"what users edit and what distributions install", []string{"configs", "packaging"}},
			{"names that tools and readers look for here",
				[]string{"go.mod", "go.sum", "README.md", "Makefile", ".*"}},
			{"what builds leave behind; git ignores it", []string{"dist", "sluice", "*.test", "*.out"}},
		},
		Floors: []Floor{
			{"vocabulary and small tools know nobody, so that everybody may know them", []string{
				"mapping/point", "drivers/modbus", "broker/topic", "broker/websocket", "broker/wire", "bridge/cron", "gateway/durable", "gateway/backoff", "gateway/progress", "gateway/status", "configs",
			}},
			{"a mechanism has one concern and is joined to another only by an engine", []string{
				"mapping/layout", "mapping/payload", "mapping/formula", "drivers/serial", "drivers/rtu", "drivers/ascii", "drivers/tcp",
				"drivers/monitor", "drivers/scan", "drivers/sim/device", "drivers/transcript",
				"broker/session", "broker/journal", "broker/retain",
				"bridge/queue", "bridge/upstream", "bridge/envelope", "bridge/budget", "broker/auth", "broker/certs", "gateway/service",
			}},
			{"engines never import each other, so that each is tested, replaced and understood alone", []string{
				"mapping", "drivers/bus", "drivers/sim", "broker", "bridge", "bridge/unpack",
			}},
			{"the gateway's tasks see engines through interfaces of their own and meet only in package gateway", []string{
				"gateway/poll", "gateway/publish", "gateway/command", "gateway/presence", "gateway/homeassistant", "gateway/control",
			}},
			{"only these know everybody", []string{"gateway", "gateway/config"}},
			{"a command is where users come in; nothing builds on it", []string{"cmd/sluice"}},
		},
		Beside: []Pair{
			{"gateway", "gateway/config", "the wiring reads the typed configuration"},
			{"broker/session", "broker/journal", "a session decides what may leave by what its part on flash says"},
		},
		Libraries: []Library{
			{Path: "github.com/goburrow/modbus", Importers: []string{"drivers/modbus"},
				Why: "its Client and packagers are all we take: errors and handlers of its own stay behind our faults"},
			{Path: "github.com/grid-x/modbus", Importers: []string{"test/bench"},
				Why: "it is what we measure ourselves against"},
			{Path: "github.com/simonvetter/modbus", Importers: []string{"test/bench"},
				Why: "it is what we measure ourselves against"},
			{Path: "go.bug.st/serial", Importers: []string{"drivers/serial"},
				Why: "a port is four methods to everybody else, and a pipe in tests"},
			{Path: "gopkg.in/yaml.v3", Importers: []string{"mapping", "gateway/config"},
				Why: "files end where they are parsed; what goes on is typed"},
			{Path: "github.com/mochi-mqtt/server", Importers: []string{"broker"},
				Why: "the MQTT server must be replaceable behind our Message and Tap"},
			{Path: "github.com/eclipse/paho.mqtt.golang", Importers: []string{"bridge/upstream", "test/bench", "test/soak"},
				Why: "the MQTT client must be replaceable behind one session"},
			{Path: "github.com/gorilla/websocket", Importers: []string{"bridge/upstream"},
				Why: "a WebSocket is a stream of bytes to everybody else; the MQTT libraries have it inside anyway"},
			// Chosen of four. It has no dependencies, checks kinds before anything runs, is
			// compiled once and runs in 2 µs, and adds 2.4 MB; gval (1.8 MB) checks nothing
			// and leans on reflection and a decimal library, Starlark (1.1 MB) is a language
			// with loops and functions, cel-go adds 10 MB with protobuf and ANTLR. Its
			// lists and loops are refused when a formula is read.
			{Path: "github.com/expr-lang/expr", Importers: []string{"mapping/formula"},
				Why: "what a formula may cost is decided in one place"},
			{Path: "golang.org/x/crypto", Importers: []string{"broker/auth"},
				Why: "how a password is stored is decided in one place"},
			{Path: "golang.org/x/term", Importers: []string{"cmd/sluice"},
				Why: "only the command talks to a person"},
			{Path: "github.com/coreos/go-systemd", Importers: []string{"gateway/service"},
				Why: "what systemd is told is said in one place; the package daemon is all we take, which has no dependencies"},
			{Path: "golang.org/x/net", Importers: []string{"gateway/control"},
				Why: "a bound on connections is all we take"},
			{Path: "golang.org/x/sys", Floor: 1,
				Why: "floor 0 is the standard library; whoever touches the system may call it"},
		},
	}
}
