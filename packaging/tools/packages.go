package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/apk"
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/ipk"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// writePackages writes a package of each kind that is made for a machine.
func writePackages(r *release, made, to string) error {
	if err := os.Chdir(filepath.Join(r.repo, "packaging")); err != nil {
		return err // paths in the manifest are relative to it
	}
	for _, p := range r.programs {
		for _, k := range []struct{ format, arch, version, release string }{
			{"deb", p.deb, r.version.tilde(), ""},
			{"rpm", p.rpm, r.version.tilde(), "1"},
			{"apk", p.apk, r.version.alpine(), "0"},
			{"ipk", p.ipk, r.version.tilde(), ""},
		} {
			if k.arch == "" {
				continue
			}
			info, err := manifest(k.format, map[string]string{"PROGRAM": p.path, "MADE": made})
			if err != nil {
				return err
			}
			info.Version, info.Prerelease, info.Release, info.MTime = k.version, "", k.release, r.time
			info.Arch = k.arch
			info.Deb.Arch, info.RPM.Arch, info.APK.Arch, info.IPK.Arch = k.arch, k.arch, k.arch, k.arch
			if err := writePackage(k.format, info, to); err != nil {
				return fmt.Errorf("make %s for %s: %w", k.format, k.arch, err)
			}
		}
	}
	return nil
}

// manifest is what nfpm.yaml says for a kind of packages.
func manifest(format string, words map[string]string) (*nfpm.Info, error) {
	c, err := nfpm.ParseFileWithEnvMapping("nfpm.yaml", func(key string) string { return words[key] })
	if err != nil {
		return nil, err
	}
	info, err := c.Get(format)
	if err != nil {
		return nil, err
	}
	for _, c := range info.Contents {
		if c.FileInfo == nil {
			c.FileInfo = &files.ContentFileInfo{}
		}
		if c.FileInfo.Mode == 0 {
			c.FileInfo.Mode = 0o644 // not what the umask of whoever checked out made of it
		}
	}
	return nfpm.WithDefaults(info), nil
}

func writePackage(format string, info *nfpm.Info, to string) error {
	p, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	info.RPM.BuildHost = "sluice" // it would name this machine
	info.Target = filepath.Join(to, p.ConventionalFileName(info))
	f, err := os.Create(info.Target)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := p.Package(info, f); err != nil {
		return err
	}
	return f.Close()
}
