package main

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// libmodbus is the stack in C, of which the process is not this program.
const libmodbus = "libmodbus"

//go:embed testdata/libmodbus.c
var libmodbusSource string

// compileLibmodbus writes the process of libmodbus to a path.
func compileLibmodbus(ctx context.Context, path string) error {
	cc := exec.CommandContext(ctx, "cc", "-O2", "-o", path, "-x", "c", "-", "-lmodbus")
	cc.Stdin = strings.NewReader(libmodbusSource)
	if out, err := cc.CombinedOutput(); err != nil {
		return fmt.Errorf("compile for libmodbus, of which the package is libmodbus-dev (or leave it out, -stacks sluice,goburrow): %w\n%s", err, out)
	}
	return nil
}

// words are the job as arguments of a program that would not like to read JSON.
func (j job) words() []string {
	words := []string{j.Path, string(j.Line.Parity)}
	for _, n := range []int{
		j.Line.Baud, j.Line.DataBits, j.Line.StopBits, j.Units, j.Registers,
		int(j.Timeout / time.Millisecond), j.Exchanges, int(j.Span / time.Millisecond),
	} {
		words = append(words, strconv.Itoa(n))
	}
	return words
}
