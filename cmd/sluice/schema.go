package main

import (
	"context"

	"sluice/gateway/config"
)

func runSchema(_ context.Context, args []string, t terminal) error {
	if err := parse(flags("schema"), args); err != nil {
		return helpOn(err, "schema", t)
	}
	text, err := config.Schema()
	if err != nil {
		return err
	}
	_, err = t.out.Write(text)
	return err
}
