package auth_test

import (
	"strings"
	"testing"

	"sluice/broker/auth"
)

// Made by other programs of the password "geheim".
const (
	byMosquitto = "$7$101$Kn3V9KF/NYeTAo4X$biFPTROV4CSre2kgP/UXAtjveodQHzCBMjoNidDZixLbyPBuh6Jnfvju+DAaB+ZLmqQ2gVU/JwXp0cOBOMjxtw=="
	byArgon2    = "$argon2id$v=19$m=1024,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$U2BR73M2dABPXw36kn5MOnmkQL8ouc8onbM4wdWgRWE"
	byHtpasswd  = "$2y$04$ajEeGOIVnBAAUmWGzXd5L.EIZgBt9XnUdzc3adukmE0R5dqxY1Mlm"
)

func TestVerify(t *testing.T) {
	own, err := auth.Hash("geheim")
	if err != nil {
		t.Fatal(err)
	}
	for _, hash := range []string{own, byMosquitto, byArgon2, byHtpasswd} {
		for password, want := range map[string]bool{"geheim": true, "Geheim": false, "": false, strings.Repeat("x", 1025): false} {
			if got, err := auth.Verify(hash, password); got != want || err != nil {
				t.Errorf("%s with %.10q: %v, %v", hash, password, got, err)
			}
		}
	}
}

func TestHashIsSalted(t *testing.T) {
	a, _ := auth.Hash("geheim")
	b, err := auth.Hash("geheim")
	if a == b || err != nil || strings.Contains(a, "geheim") {
		t.Errorf("%s, %s, %v", a, b, err)
	}
	for _, bad := range []string{"", strings.Repeat("x", 1025)} {
		if _, err := auth.Hash(bad); err == nil {
			t.Errorf("a password of %d bytes was taken", len(bad))
		}
	}
}

// TestHashRefused: what is no hash, and what would take the machine.
func TestHashRefused(t *testing.T) {
	salt, key := "$c29tZXNhbHRzb21lc2FsdA", "$U2BR73M2dABPXw36kn5MOnmkQL8ouc8onbM4wdWgRWE"
	for hash, why := range map[string]string{
		"":                      "not a password hash",
		"geheim":                "not a password hash",
		"$1$x$y":                "not a password hash",
		"$6$salt$abc":           "not a password hash",
		"$argon2id$v=19$m=1024": "not a password hash",
		"$argon2id$v=16$m=1024,t=2,p=2" + salt + key:    "not a password hash",
		"$argon2id$v=19$m=1024,t=0,p=2" + salt + key:    "not a password hash",
		"$argon2id$v=19$m=1024,t=2,p=2" + salt + "$U2":  "not a password hash",
		"$argon2id$v=19$m=4194304,t=2,p=2" + salt + key: "more time or memory",
		"$argon2id$v=19$m=1024,t=17,p=2" + salt + key:   "more time or memory",
		"$7$99999999" + salt + "==" + key + "=":         "more time or memory",
		"$7$-1" + salt + "==" + key + "=":               "not a password hash",
		strings.Replace(byHtpasswd, "$04$", "$31$", 1):  "more time or memory",
		byHtpasswd[:59]: "not a password hash",
	} {
		if err := auth.CheckHash(hash); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", hash, err, why)
		}
	}
}

// FuzzHash: no text, wherever it comes from, does more than be refused.
func FuzzHash(f *testing.F) {
	for _, s := range []string{byMosquitto, byArgon2, byHtpasswd, "$argon2id$v=19$m=-1,t=1,p=1$$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, hash string) {
		if err := auth.CheckHash(hash); err == nil && !strings.HasPrefix(hash, "$") {
			t.Errorf("%q is a hash", hash)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	own, err := auth.Hash("geheim")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, _ := auth.Verify(own, "geheim"); !ok {
			b.Fatal("not verified")
		}
	}
}
