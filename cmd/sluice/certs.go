package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/broker/auth"
	"sluice/broker/certs"
	"sluice/gateway"
	"sluice/gateway/config"
)

const certsWords = "run `sluice help certs`: init, show, client NAME or renew [NAME]"

func runCerts(_ context.Context, args []string, t terminal) error {
	f := flags("certs")
	site := f.String("c", defaultSite, "")
	state := f.String("state", "", "")
	words, err := parseMixed(f, args)
	if err != nil {
		return helpOn(err, "certs", t)
	}
	if len(words) == 0 {
		return usage("certs needs a word more", certsWords)
	}
	cfg, err := load(config.LoadForDesk, *site, t)
	if err != nil {
		return err
	}
	dir := gateway.CertsDir(stateDir(*state, *site))
	switch verb := words[0]; {
	case verb == "init" && len(words) == 1:
		return initCerts(cfg, dir, t)
	case verb == "show" && len(words) == 1:
		return showCerts(cfg, dir, t)
	case verb == "renew" && len(words) == 1:
		return renewServer(cfg, dir, t)
	case (verb == "client" || verb == "renew") && len(words) == 2:
		return issueClient(cfg, dir, words[1], t)
	}
	return usage("there is no `sluice certs %s`", certsWords, strings.Join(words, " "))
}

// authority opens the gateway's own one, which must be there.
func authority(cfg *config.Config, dir string) (*certs.Authority, error) {
	if !certs.Exists(dir) {
		return nil, hint(fmt.Errorf("there is no certificate authority in %s", dir),
			"sluice certs init makes it, or name the state folder: -state FOLDER")
	}
	return certs.Open(dir, gateway.AuthorityName(cfg))
}

func initCerts(cfg *config.Config, dir string, t terminal) error {
	if certs.Exists(dir) {
		return showCerts(cfg, dir, t)
	}
	own, err := certs.Open(dir, gateway.AuthorityName(cfg))
	if err == nil {
		err = own.Server(certs.Hosts(cfg.Broker.TLS.Names))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "clients need %s to trust this gateway\n", own.Certificate())
	return showCerts(cfg, dir, t)
}

func renewServer(cfg *config.Config, dir string, t terminal) error {
	own, err := authority(cfg, dir)
	if err == nil {
		err = own.Server(certs.Hosts(cfg.Broker.TLS.Names))
	}
	if err != nil {
		return err
	}
	return showCerts(cfg, dir, t)
}

func issueClient(cfg *config.Config, dir, name string, t terminal) error {
	if err := auth.CheckName(name); err != nil {
		return err
	}
	own, err := authority(cfg, dir)
	if err != nil {
		return err
	}
	cert, key, err := own.Client(name)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s\n%s\nThe key is secret: move it to the client. The user %s must be one of broker: users.\n", cert, key, name)
	return nil
}

// showCerts lists the certificates; one that ends soon fails.
func showCerts(cfg *config.Config, dir string, t terminal) error {
	if _, err := authority(cfg, dir); err != nil {
		return err
	}
	all, err := certs.List(dir)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FILE\tNAME\tUNTIL\tFOR")
	ending := ""
	for _, c := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", filepath.Join(dir, c.File), c.Name, c.Until.UTC().Format(time.DateOnly), strings.Join(c.Hosts, " "))
		if time.Until(c.Until) < certs.WarnBefore && ending == "" {
			ending = c.File
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if ending != "" {
		return hint(fmt.Errorf("%s ends soon or has ended", ending), "sluice certs renew makes the broker's anew, sluice certs renew NAME a client's")
	}
	return nil
}
