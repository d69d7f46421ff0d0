// Command bench is the home of all benchmarks:
//
//	go run ./test/bench NAME [-json] [-short] [-stacks NAME,NAME] [-drain N]
//
// It prints one table for people, or with -json one object a row with the keys
// bench, stack, case and figures. Whatever is compared runs in the same run on
// the same machine.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is one line of a result.
type row struct {
	Bench   string  `json:"bench"`
	Stack   string  `json:"stack"` // the program measured
	Case    string  `json:"case"`  // the conditions
	Figures figures `json:"figures"`
}

// figures are measured values by name; a name ends in its unit.
type figures map[string]float64

// options are what the command line says, beside the name.
type options struct {
	short  bool
	drain  int      // messages; 0: the usual
	stacks []string // those to run; none: all
}

func (o options) wants(stack string) bool {
	return len(o.stacks) == 0 || slices.Contains(o.stacks, stack)
}

// benches are the benchmarks by name.
var benches = map[string]func(context.Context, options) ([]row, error){
	"latency":  latency,
	"bus":      bus,
	"faults":   faults,
	"queue":    queues,
	"bridge":   bridgeBench,
	"broker":   brokers,
	"envelope": envelopes,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == childName {
		return child(args[1])
	}
	if len(args) > 1 && args[0] == brokerChildName {
		return brokerChild(args[1], args[2:]...)
	}
	if len(args) == 0 || benches[args[0]] == nil {
		names := make([]string, 0, len(benches))
		for name := range benches {
			names = append(names, name)
		}
		slices.Sort(names)
		return fmt.Errorf("name a benchmark: %s", strings.Join(names, ", "))
	}
	f := flag.NewFlagSet("bench "+args[0], flag.ContinueOnError)
	asJSON := f.Bool("json", false, "one JSON object a row")
	short := f.Bool("short", false, "a tenth of the time, with that much less to be had from the result")
	drain := f.Int("drain", 0, "bridge only: drain so many messages at 64 kbit/s and 600 ms instead")
	only := f.String("stacks", "", "the stacks to run, separated by commas (default all)")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	o := options{short: *short, drain: *drain}
	if *only != "" {
		o.stacks = strings.Split(*only, ",")
	}
	rows, err := benches[args[0]](ctx, o)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if *asJSON {
		return printJSON(rows)
	}
	return printTable(rows)
}

func printJSON(rows []row) error {
	out := json.NewEncoder(os.Stdout)
	for _, r := range rows {
		if err := out.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// printTable prints the rows of one benchmark, with a column for each figure that
// one of them has.
func printTable(rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	var names []string
	for _, r := range rows {
		for name := range r.Figures {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	fmt.Fprintf(w, "stack\tcase\t%s\t\n", strings.Join(names, "\t"))
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t", r.Stack, r.Case)
		for _, name := range names {
			if v, ok := r.Figures[name]; ok {
				fmt.Fprintf(w, "%.4g\t", v)
			} else {
				fmt.Fprint(w, "-\t")
			}
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
