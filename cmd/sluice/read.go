package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// maxCount bounds the values that one command reads.
const maxCount = 2000

func runRead(ctx context.Context, args []string, t terminal) error {
	f := newTargetFlags("read")
	count := f.Int("count", 1, "")
	var o testOptions
	o.add(f.FlagSet)
	words, err := parseMixed(f.FlagSet, args)
	if err != nil {
		return helpOn(err, "read", t)
	}
	if err := o.check(); err != nil {
		return err
	}
	if *count < 1 || *count > maxCount {
		return usage("-count: %d is not possible", fmt.Sprintf("write 1 to %d", maxCount), *count)
	}
	g, err := f.toRead(words, *count)
	if err != nil {
		return err
	}
	o.reach = f.reach
	return o.test(ctx, []target{g}, t)
}

// toRead is the target that the words of the command line name.
func (f *targetFlags) toRead(words []string, count int) (target, error) {
	if len(words) == 0 {
		return target{}, usage("read what?", "sluice read /dev/ttyUSB0 \"input 0x0034\"")
	}
	if !strings.Contains(words[0], "/") {
		return target{}, usage("%q is no port", "write it in full, such as /dev/ttyUSB0; devices of a site file are read by sluice test -c site.yaml -device "+words[0], words[0])
	}
	register, rest, err := cutRegister(words[1:])
	if err != nil || len(rest) > 0 {
		return target{}, usage("name one register behind the port", "sluice read "+words[0]+" \"input 0x0034\"; -count reads more")
	}
	return f.onPort(words[0], register, count)
}

// cutRegister takes a register from the front of words, in quotes or without.
func cutRegister(words []string) (register string, rest []string, err error) {
	switch {
	case len(words) == 0:
		return "", nil, errors.New("no register")
	case len(words) > 1 && !strings.Contains(words[0], " "):
		return words[0] + " " + words[1], words[2:], nil
	default:
		return words[0], words[1:], nil
	}
}
