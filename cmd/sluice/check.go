package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"sluice/gateway"
	"sluice/gateway/config"
	"sluice/mapping"
)

func runCheck(_ context.Context, args []string, t terminal) error {
	f := flags("check")
	site := f.String("c", defaultSite, "")
	state := f.String("state", "", "")
	strict := f.Bool("strict", false, "")
	format := f.String("format", "text", "")
	if err := parse(f, args); err != nil {
		return helpOn(err, "check", t)
	}
	list, ok := map[string]func(io.Writer, mapping.Problems) error{"text": listText, "json": listJSON, "github": listGitHub}[*format]
	if !ok {
		return usage("-format: %q is not known", "write text, json or github", *format)
	}
	cfg, err := config.Load(*site)
	problems, broken := errors.AsType[mapping.Problems](err)
	if err != nil && !broken {
		return explainFile(err)
	}
	if cfg != nil {
		problems = append(cfg.Warnings, ownCertificates(cfg, gateway.CertsDir(stateDir(*state, *site)), time.Now())...)
	}
	out := t.out
	if *format == "text" {
		out = t.err
	}
	if err := list(out, problems); err != nil {
		return err
	}
	if broken || *strict && len(problems) > 0 {
		return errReported
	}
	if *format == "text" {
		fmt.Fprintf(t.out, "%s is good: %s\n", *site, summary(cfg))
	}
	return nil
}

func summary(cfg *config.Config) string {
	points := 0
	for _, d := range cfg.Devices {
		points += len(d.Points) + len(d.Derived)
	}
	return fmt.Sprintf("site %s, gateway %s: %s, %s, %s, %s", cfg.Site, cfg.Gateway,
		count(len(cfg.Buses), "bus", "buses"), count(len(cfg.Devices), "device", "devices"),
		count(points, "point", "points"), count(len(cfg.Bridges), "bridge", "bridges"))
}

func listText(w io.Writer, ps mapping.Problems) error {
	if len(ps) == 0 {
		return nil
	}
	_, err := fmt.Fprintln(w, ps.Error())
	return err
}

// listJSON writes one object for each problem.
func listJSON(w io.Writer, ps mapping.Problems) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, p := range ps {
		err := e.Encode(struct {
			File     string `json:"file"`
			Line     int    `json:"line,omitempty"`
			Column   int    `json:"column,omitempty"`
			Severity string `json:"severity"`
			What     string `json:"what"`
			Fix      string `json:"fix,omitempty"`
			Source   string `json:"source,omitempty"`
		}{p.File, p.Line, p.Column, severity(p), p.What, p.Fix, p.Source})
		if err != nil {
			return err
		}
	}
	return nil
}

// listGitHub writes one workflow command for each problem, which GitHub shows
// beside the line (docs.github.com, workflow commands).
func listGitHub(w io.Writer, ps mapping.Problems) error {
	text := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, p := range ps {
		message := p.What
		if p.Fix != "" {
			message += "\nfix: " + p.Fix
		}
		_, err := fmt.Fprintf(w, "::%s file=%s,line=%d,col=%d::%s\n", severity(p), property.Replace(p.File),
			max(p.Line, 1), max(p.Column, 1), text.Replace(message))
		if err != nil {
			return err
		}
	}
	return nil
}

func severity(p mapping.Problem) string {
	if p.Warning {
		return "warning"
	}
	return "error"
}

// count writes a number of things: "1 bus", "2 buses".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
