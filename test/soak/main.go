// Command soak runs a gateway for a long time on lines where everything goes
// wrong, and fails if it grows or takes a wrong value for an answer:
//
//	go run ./test/soak bus [-for 30m] [-v]
//
// The gateway is a process of its own, on real pseudo-terminals with more polls
// than they can carry. After a quarter of the time, in which caches and histories
// fill, the memory it holds, its goroutines and its open files have to stay.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// childName is the argument by which this program runs as the gateway.
const childName = "gateway"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 3 && args[0] == childName:
		return gatewayProcess(ctx, args[1], args[2])
	case len(args) == 0 || args[0] != "bus":
		return errors.New("name what to soak: bus")
	}
	f := flag.NewFlagSet("soak bus", flag.ContinueOnError)
	span := f.Duration("for", 30*time.Minute, "how long")
	verbose := f.Bool("v", false, "what the gateway logs")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	return soakBus(ctx, *span, *verbose)
}
