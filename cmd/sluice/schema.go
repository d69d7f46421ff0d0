package main

import (
	"context"

	"sluice/gateway/config"
)

func runSchema(_ context.Context, args []string, t terminal) error {
	f := flags("schema")
	template := f.Bool("template", false, "")
	if err := parse(f, args); err != nil {
		return helpOn(err, "schema", t)
	}
	schema := config.Schema
	if *template {
		schema = config.TemplateSchema
	}
	text, err := schema()
	if err != nil {
		return err
	}
	_, err = t.out.Write(text)
	return err
}
