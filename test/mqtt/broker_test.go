package mqtt_test

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"sluice/broker"
	"sluice/broker/auth"
)

// server is a broker of one test.
type server struct {
	testing.TB
	*broker.Broker
	v byte // the version that clients speak to it
}

// serve runs a broker on a free port until the end of the test.
func serve(t testing.TB, v byte, cfg broker.Config) *server {
	t.Helper()
	if cfg.Listen == nil {
		all := []string{"#", "$own/#"}
		cfg.Listen = []broker.Listener{{Address: "127.0.0.1:0", Anonymous: &auth.Rights{Read: all, Write: all}}}
	}
	cfg.Limits.Connects = 1e6
	cfg.Limits.Clients = cmp.Or(cfg.Limits.Clients, 1000)
	b, err := broker.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-b.Ready():
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	}
	return &server{TB: t, Broker: b, v: v}
}

// plain runs a broker that lets anybody in.
func plain(t testing.TB, v byte) *server { t.Helper(); return serve(t, v, broker.Config{}) }

// guarded runs a broker for anna and berta, whose password is "geheim": each may
// write below her name and read everything.
func guarded(t testing.TB, v byte) *server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("geheim\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rights := auth.Rights{Read: []string{"#"}, Write: []string{"%u/#"}}
	users, err := auth.New(auth.Config{Users: []auth.User{
		{Name: "anna", PasswordFile: file, Rights: rights}, {Name: "berta", PasswordFile: file, Rights: rights},
	}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, v, broker.Config{Users: users, Listen: []broker.Listener{{Address: "127.0.0.1:0"}}})
}

// open opens a connection and sends nothing.
func (s *server) open() *client { s.Helper(); return open(s, s.Addrs()[0].String(), s.v) }

// form makes packets and has no connection.
func (s *server) form() *client { return &client{v: s.v} }

// enter connects a client with a fresh session.
func (s *server) enter(id string) *client {
	s.Helper()
	c := s.open()
	c.connect(session{id: id, flags: clean})
	return c
}

// resume connects a client with a session that is kept, and reports whether it was
// there.
func (s *server) resume(id string) (c *client, present bool) {
	s.Helper()
	c = s.open()
	return c, c.connect(c.kept(id)).body[0] == 1
}

// listen is enter and subscribe.
func (s *server) listen(filter string, options byte) *client {
	s.Helper()
	c := s.enter("")
	c.subscribe(subscription(filter, options))
	return c
}
