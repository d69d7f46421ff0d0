package main

import (
	"context"
	"embed"
	"fmt"
	"strings"

	"sluice/configs"
)

//go:embed help/*.txt
var helpTexts embed.FS

func runHelp(_ context.Context, args []string, t terminal) error {
	text := func(name string) string { // empty when there is none
		b, _ := helpTexts.ReadFile("help/" + name + ".txt")
		return string(b)
	}
	switch {
	case len(args) == 0 || args[0] == "help":
		var list strings.Builder
		for _, c := range commands() {
			fmt.Fprintf(&list, "  %-10s %s\n", c.name, c.short)
		}
		fmt.Fprint(t.out, strings.Replace(text("help"), "{commands}\n", list.String(), 1))
	case args[0] == "site":
		fmt.Fprint(t.out, configs.Reference)
	case text(args[0]) != "":
		fmt.Fprint(t.out, text(args[0]))
	default:
		return usage("there is no help on %q", "run `sluice help` for the list", args[0])
	}
	return nil
}
