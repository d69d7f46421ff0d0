package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func runReload(ctx context.Context, args []string, t terminal) error {
	var r reach
	f := flags("reload")
	r.addAll(f)
	if err := parse(f, args); err != nil {
		return helpOn(err, "reload", t)
	}
	client := r.gateway()
	defer client.Close()
	out, err := client.Reload(ctx)
	switch {
	case err != nil:
		return r.explain(err)
	case !out.OK:
		return hint(errors.New(out.Error), "the gateway goes on with what it had; mend the file, or restart the gateway where it says so")
	}
	for _, c := range out.Changes {
		fmt.Fprintln(t.out, c)
	}
	if len(out.Changes) == 0 {
		fmt.Fprintln(t.out, "nothing has changed")
	}
	fmt.Fprintf(t.out, "config %s at work after %v\n", out.Digest, out.Took.Round(time.Millisecond))
	return nil
}

// runTrace shows what passes the port of a bus of the gateway.
func runTrace(ctx context.Context, args []string, t terminal) error {
	var r reach
	f := flags("trace")
	r.addAll(f)
	length := f.Duration("for", 0, "")
	words, err := parseMixed(f, args)
	if err != nil {
		return helpOn(err, "trace", t)
	}
	if len(words) != 1 {
		return usage("trace takes one bus", "sluice trace rs485 -for 10s; `sluice status` lists the buses")
	}
	if *length < 0 {
		return usage("-for: %v is no time", "write 10s; without -for it goes on until Ctrl-C", *length)
	}
	if *length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *length)
		defer cancel()
	}
	client := r.gateway()
	defer client.Close()
	return r.explain(client.Trace(ctx, words[0], t.out))
}
