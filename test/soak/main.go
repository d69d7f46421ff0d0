// Command soak runs a gateway for a long time where everything goes wrong, and
// fails if it does not keep what it promises:
//
//	go run ./test/soak bus [-for 30m] [-v]
//	go run ./test/soak bridge [-for 5m] [-upstream mosquitto|nats|rabbitmq]
//	go run ./test/soak broker [-cycles 200]
//	go run ./test/soak flood [-for 20s]
//	go run ./test/soak lan [-for 2h] [-v]
//
// bus is about lines. The gateway is a process of its own, on real pseudo-terminals
// with more polls than they can carry, and may take no wrong value for an answer.
// After a quarter of the time, in which caches and histories fill, the memory it
// holds, its goroutines and its open files have to stay.
//
// bridge is about upstream. The real program is killed every few seconds while
// clients of three makers publish to it, on a link of 64 kbit/s and 600 ms that is
// cut again and again, to brokers that are killed, too. What it acknowledged must
// arrive, in order, and no connection may repeat more than its window. What a broker
// upstream acknowledges and then loses is printed, and its own affair.
//
// broker is about persistent sessions on the LAN. The real program is killed every
// second or two while clients of another maker publish with QoS 1 and 2 to one that
// is there and one that is away. What was acknowledged must reach both, in order, and
// QoS 2 once.
//
// lan is about the broker: the gateway as a process of its own with TLS, users and
// durable sessions, and a thousand messages a second of QoS 0, 1 and 2, retained
// ones and wills, to subscribers that stay, leave and come back, are slow or never
// return, while publishers die in the middle and take over from each other. What was
// acknowledged must reach all who stay or come back, in order, QoS 2 once; and from a
// quarter of the time on memory, goroutines, open files and disk have to stay.
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
	case len(args) == 2 && args[0] == floodChildName:
		return floodedBroker(ctx, args[1])
	case len(args) == 0 || args[0] != "bus" && args[0] != "bridge" && args[0] != "broker" && args[0] != "flood" && args[0] != "lan":
		return errors.New("name what to soak: bus, bridge, broker, flood or lan")
	}
	f := flag.NewFlagSet("soak "+args[0], flag.ContinueOnError)
	if args[0] == "bridge" {
		span := f.Duration("for", 5*time.Minute, "how long each")
		only := f.String("upstream", "", "mosquitto, nats or rabbitmq (default all)")
		if err := f.Parse(args[1:]); err != nil {
			return err
		}
		return soakBridges(ctx, *only, *span)
	}
	if args[0] == "broker" {
		cycles := f.Int("cycles", 200, "kills")
		if err := f.Parse(args[1:]); err != nil {
			return err
		}
		return soakSessions(ctx, *cycles)
	}
	if args[0] == "flood" {
		span := f.Duration("for", 20*time.Second, "how long each")
		if err := f.Parse(args[1:]); err != nil {
			return err
		}
		return soakFloods(ctx, *span)
	}
	long := map[string]time.Duration{"bus": 30 * time.Minute, "lan": 2 * time.Hour}[args[0]]
	span := f.Duration("for", long, "how long")
	verbose := f.Bool("v", false, "what the gateway logs")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	if args[0] == "lan" {
		return soakLAN(ctx, *span, *verbose)
	}
	return soakBus(ctx, *span, *verbose)
}
