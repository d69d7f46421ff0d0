// Command sluice is an edge gateway: it polls Modbus devices on RS-485 lines,
// publishes their values on an MQTT broker of its own, and relays them upstream
// over links that fail.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the work was not done, or the site file has problems
	exitUsage  = 2 // the command line is wrong
)

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !reloads(os.Args[1:], os.Stderr) {
		ends = append(ends, syscall.SIGHUP) // a closed terminal is an ordinary end too
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	// Sockets raise this one as well, whenever a client goes away while it is written
	// to: it must not end the gateway. Writing fails all the same.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	out, ctx := outputOf(ctx, os.Stdout)
	os.Exit(run(ctx, os.Args[1:], terminal{out, os.Stderr}))
}

// command is one word after sluice.
type command struct {
	name  string
	short string // one line in `sluice help`
	run   func(ctx context.Context, args []string, t terminal) error
}

// commands are listed by `sluice help` in this order.
func commands() []command {
	return []command{
		{"run", "run the gateway of a site", runGateway},
		{"check", "check a site file and say what is wrong with it", runCheck},
		{"schema", "print the JSON Schema of site files, for editors", runSchema},
		{"templates", "list, show, check and start register maps of device types", runTemplates},
		{"plan", "show requests, load of the lines, topics and data volume of a site", runPlan},
		{"test", "read all devices of a site once, as the gateway would; publishes nothing", runTest},
		{"read", "read registers on a port, without a site file", runRead},
		{"write", "write values to a device and read them back; asks first", runWrite},
		{"scan", "find out who is on a line; changes nothing", runScan},
		{"monitor", "explain what others say on a line; never sends", runMonitor},
		{"simulate", "serve the devices of a site on virtual ports", runSimulate},
		{"status", "show how the gateway that runs on this machine does", runStatus},
		{"reload", "have it put the site file to work as it is now", runReload},
		{"trace", "show what passes a bus of it, in hexadecimal", runTrace},
		{"queue", "show what waits for upstream, export it, drop it, send dead letters again", runQueue},
		{"unpack", "take envelopes from a broker and publish the messages in them, once each", runUnpack},
		{"passwd", "keep the users of the LAN broker in a password file", runPasswd},
		{"certs", "make, show and renew the certificates of the LAN broker", runCerts},
		{"demo", "show a whole site on simulated devices; needs nothing", runDemo},
		{"version", "print the version of this program", runVersion},
		{"help", "print this text, or more on one command: sluice help check", runHelp},
	}
}

// run carries out one command line and returns the exit code.
func run(ctx context.Context, args []string, t terminal) int {
	name := "help"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "-h", "--help", "-help":
		name = "help"
	case "--version", "-version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name == name {
			return t.exit(c.run(ctx, args, t))
		}
	}
	return t.exit(usage("there is no command %q", "run `sluice help` for the list", name))
}

// flags returns the flag set of a command; its errors become usage errors.
func flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	return f
}

// parse reads the flags of a command that takes no further arguments.
func parse(f *flag.FlagSet, args []string) error {
	words, err := parseMixed(f, args)
	if err != nil {
		return err
	}
	if len(words) > 0 {
		return usage("%s takes no argument %q", fmt.Sprintf("run `sluice help %s`", f.Name()), f.Name(), words[0])
	}
	return nil
}

// parseMixed reads flags before, between and behind words, and returns the words.
func parseMixed(f *flag.FlagSet, args []string) (words []string, err error) {
	for {
		err := f.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		if err != nil {
			return nil, usage("%s", fmt.Sprintf("run `sluice help %s` for its flags", f.Name()), err)
		}
		if f.NArg() == 0 {
			return words, nil
		}
		words, args = append(words, f.Arg(0)), f.Args()[1:]
	}
}
