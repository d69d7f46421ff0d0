package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/certs"
	"sluice/configs"
)

// TestCheckOwnCertificates: check warns of what ends within 30 days and of names
// that the broker's certificate lacks, and changes nothing.
func TestCheckOwnCertificates(t *testing.T) {
	const secure = "broker:\n  listen: [{address: %s, protocol: mqtts, anonymous: read}]\n  tls: {names: [gw.example.com]}\n"
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name, broker string
		after        time.Duration
		want         []string // of each warning
	}{
		{"all is well", strings.Replace(secure, "%s", `"0.0.0.0:8883"`, 1), day, nil},
		{"the address is another", strings.Replace(secure, "%s", `"203.0.113.9:8883"`, 1), day, []string{"server.pem: warning: the certificate of the broker is not for 203.0.113.9"}},
		{"the name is another", strings.Replace(secure, "gw.", "new.", 1), day, []string{"server.pem: warning: the certificate of the broker is not for new.example.com"}},
		{"no TLS", "", day, nil},
		{"the broker's ends", secure, 800 * day, []string{"server.pem: warning: the certificate ends on"}},
		{"both have ended", secure, 1830 * day, []string{"server.pem: warning: the certificate ended on", "panel.crt: warning: the certificate ended on"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			site, tls := filepath.Join(dir, "site.yaml"), filepath.Join(dir, "state", "tls")
			text := configs.Minimal + strings.Replace(tt.broker, "%s", `"127.0.0.1:8883"`, 1)
			if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(27 * 365 * day) // the clock of the bubble starts in 2000
				own, err := certs.Open(tls, "own")
				if err != nil {
					t.Fatal(err)
				}
				if err := own.Server([]string{"127.0.0.1", "gw.example.com"}); err != nil {
					t.Fatal(err)
				}
				if _, _, err := own.Client("panel"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(tt.after)
				var out, errs bytes.Buffer
				if code := run(t.Context(), []string{"check", "-c", site}, terminal{&out, &errs}); code != exitOK {
					t.Errorf("exit code %d", code)
				}
				if n := strings.Count(errs.String(), "warning: "); n != len(tt.want) {
					t.Errorf("%d warnings, want %d: %s", n, len(tt.want), &errs)
				}
				for _, want := range tt.want {
					if !strings.Contains(errs.String(), want) {
						t.Errorf("%q is missing: %s", want, &errs)
					}
				}
			})
		})
	}
}
