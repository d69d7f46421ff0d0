package auth_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/auth"
)

var home = netip.MustParseAddr("192.168.1.7")

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func users(t *testing.T, cfg auth.Config) *auth.Users {
	t.Helper()
	u, err := auth.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestLogin(t *testing.T) {
	plain, hashed := write(t, "plain", "offen\nignored"), write(t, "hashed", byArgon2+"\n")
	u := users(t, auth.Config{
		Users: []auth.User{
			{Name: "plain", PasswordFile: plain, Rights: auth.Rights{Read: []string{"plain"}}},
			{Name: "hashed", PasswordFile: hashed, Rights: auth.Rights{Read: []string{"hashed"}}},
			{Name: "listed", Rights: auth.Rights{Read: []string{"listed"}}},
			{Name: "certified", Rights: auth.Rights{Read: []string{"certified"}}},
			{Name: "gone", PasswordFile: "/nonexistent", Rights: auth.Rights{Read: []string{"#"}}},
		},
		File:   write(t, "users", "listed:"+byMosquitto+"\nother:"+byHtpasswd+"\n"),
		Others: auth.Rights{Read: []string{"others"}},
	})
	from := home
	for _, tt := range []struct{ name, password, reads string }{
		{"plain", "offen", "plain"}, {"plain", "Offen", ""}, {"plain", "", ""}, {"plain", "offen\nignored", ""},
		{"hashed", "geheim", "hashed"}, {"hashed", byArgon2, ""},
		{"listed", "geheim", "listed"}, {"listed", "offen", ""},
		{"other", "geheim", "others"},
		{"certified", "", ""}, {"nobody", "", ""}, {"", "", ""}, {"gone", "", ""},
	} {
		for range 2 { // verified, then remembered
			from = from.Next()
			r, err := u.Login(t.Context(), from, tt.name, tt.password)
			switch {
			case tt.reads == "" && !errors.Is(err, auth.ErrDenied):
				t.Errorf("%s with %q: %v", tt.name, tt.password, err)
			case tt.reads != "" && (err != nil || r.Read[0] != tt.reads):
				t.Errorf("%s with %q: %v, %v", tt.name, tt.password, r, err)
			}
		}
	}
	if r, ok := u.Certified("certified"); !ok || r.Read[0] != "certified" {
		t.Error("the user of a certificate is not known")
	}
	if _, ok := u.Certified("other"); ok {
		t.Error("a user of the password file entered by certificate")
	}
}

// TestLoginBackoff: wrong passwords from one address are refused unseen until
// some time has passed; others, and a password that was right before, are not.
func TestLoginBackoff(t *testing.T) {
	path := write(t, "p", "right")
	synctest.Test(t, func(t *testing.T) {
		u := users(t, auth.Config{Users: []auth.User{{Name: "a", PasswordFile: path}, {Name: "b", PasswordFile: path}}})
		login := func(from netip.Addr, name, password string) error {
			_, err := u.Login(t.Context(), from, name, password)
			return err
		}
		if err := login(home, "a", "right"); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if err := login(home, "a", "wrong"); !errors.Is(err, auth.ErrDenied) {
				t.Fatalf("attempt %d: %v", i, err)
			}
		}
		if err := login(home, "b", "right"); !errors.Is(err, auth.ErrTooMany) {
			t.Errorf("after ten wrong ones: %v", err)
		}
		if err := login(home, "a", "right"); err != nil {
			t.Errorf("who was right before is out: %v", err)
		}
		if err := login(netip.MustParseAddr("192.168.1.8"), "b", "right"); err != nil {
			t.Errorf("another address is out: %v", err)
		}
		time.Sleep(10 * time.Second)
		if err := login(home, "a", "wrong"); !errors.Is(err, auth.ErrDenied) {
			t.Errorf("10 s later: %v", err)
		}
		if err := login(home, "a", "wrong"); !errors.Is(err, auth.ErrTooMany) {
			t.Errorf("and again: %v", err)
		}
	})
}

// TestFileChanges: a changed password counts at once, a broken file changes
// nothing and is told once, without what it holds.
func TestFileChanges(t *testing.T) {
	path := write(t, "users", "anna:"+byHtpasswd+"\n")
	var log bytes.Buffer
	u, err := auth.New(auth.Config{File: path}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	login := func(password string) error {
		_, err := u.Login(t.Context(), home, "anna", password)
		return err
	}
	if err := login("geheim"); err != nil {
		t.Error(err)
	}
	change := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change("anna:geheim\n")
	for range 2 {
		if err := login("geheim"); err != nil {
			t.Errorf("with a broken file: %v", err)
		}
	}
	if n := strings.Count(log.String(), "password file"); n != 1 || strings.Contains(log.String(), "geheim") {
		t.Errorf("%d complaints: %s", n, &log)
	}
	other, _ := auth.Hash("neu")
	change("anna:" + other + "\n")
	if err := login("geheim"); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("the old password: %v", err)
	}
	if err := login("neu"); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

// TestLoginsWait: however many log in, one is verified at a time, a few wait, and
// the rest are refused at once.
func TestLoginsWait(t *testing.T) {
	hash, err := auth.Hash("geheim")
	if err != nil {
		t.Fatal(err)
	}
	u := users(t, auth.Config{File: write(t, "users", "anna:"+hash+"\n")})
	var mu sync.Mutex
	count := map[error]int{}
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			_, err := u.Login(t.Context(), home, "anna", "geheim")
			mu.Lock()
			defer mu.Unlock()
			count[err]++
		})
	}
	all.Wait()
	if count[nil] == 0 || count[nil]+count[auth.ErrBusy] != 200 {
		t.Errorf("%v", count)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := u.Login(ctx, home, "anna", "geheim"); err != nil {
		t.Errorf("what is remembered needs no waiting: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, cfg := range []auth.Config{
		{File: "/nonexistent"},
		{Users: []auth.User{{Name: "a/b"}}},
		{Users: []auth.User{{Name: "a", Rights: auth.Rights{Read: []string{"#/a"}}}}},
	} {
		if _, err := auth.New(cfg, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}
