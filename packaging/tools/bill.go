package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The parts of CycloneDX 1.5 that a static program needs.
type (
	bill struct {
		Format     string      `json:"bomFormat"`
		Spec       string      `json:"specVersion"`
		Version    int         `json:"version"`
		Metadata   metadata    `json:"metadata"`
		Components []component `json:"components"`
	}
	metadata struct {
		Timestamp time.Time `json:"timestamp"`
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Name       string     `json:"name"`
		Version    string     `json:"version"`
		URL        string     `json:"purl,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
)

// writeBill writes what the programs are made of, as they say it themselves.
func writeBill(r *release, to string) error {
	b := bill{Format: "CycloneDX", Spec: "1.5", Version: 1, Metadata: metadata{
		Timestamp: r.time,
		Component: component{Type: "application", Name: "sluice", Version: r.version.String(),
			Properties: []property{{"vcs.revision", r.commit}}},
	}}
	b.Components = append(b.Components, component{Type: "library", Name: "std", Version: r.goLang,
		URL: "pkg:golang/std@" + strings.TrimPrefix(r.goLang, "go")})
	for _, m := range r.modules {
		b.Components = append(b.Components, component{Type: "library", Name: m.Path, Version: m.Version,
			URL: "pkg:golang/" + m.Path + "@" + m.Version, Properties: []property{{"go.sum", m.Sum}}})
	}
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, fmt.Sprintf("sluice_%s.cdx.json", r.version)), append(text, '\n'), 0o644)
}

// writeSums writes SHA256SUMS of all that was made, as sha256sum -c reads it.
func writeSums(to string) error {
	files, err := os.ReadDir(to)
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(to, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", strings.TrimPrefix(digest(content), "sha256:"), f.Name())
		fmt.Printf("%6.1f MB  %s\n", float64(len(content))/1e6, f.Name())
	}
	return os.WriteFile(filepath.Join(to, "SHA256SUMS"), sums.Bytes(), 0o644)
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}
