package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// archive is a tar in memory whose entries all have one time.
type archive struct {
	tar  *tar.Writer
	out  bytes.Buffer
	time time.Time
}

func newArchive(at time.Time) *archive {
	a := &archive{time: at}
	a.tar = tar.NewWriter(&a.out)
	return a
}

// dir and file add an entry; memory takes everything, so only a header that cannot
// be written is an error, and close reports it.
func (a *archive) dir(name string, mode int64, owner int) {
	a.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, Uid: owner, Gid: owner, ModTime: a.time})
}

func (a *archive) file(name string, mode int64, content []byte) {
	a.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), ModTime: a.time})
	a.tar.Write(content)
}

// copy adds a file from disk.
func (a *archive) copy(name string, mode int64, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	a.file(name, mode, content)
	return nil
}

func (a *archive) bytes() ([]byte, error) {
	err := a.tar.Close()
	return a.out.Bytes(), err
}

// writeTarballs writes for each machine an archive with the program and what a
// person needs to install it by hand.
func writeTarballs(r *release, made, to string) error {
	for _, p := range r.programs {
		name := fmt.Sprintf("sluice_%s_linux_%s", r.version, p.name)
		content, err := tarball(r, made, name, p.path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name+".tar.gz"), zipped(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func tarball(r *release, made, name, path string) ([]byte, error) {
	a := newArchive(r.time)
	a.dir(name, 0o755, 0)
	for _, f := range []struct {
		name string
		mode int64
		path string
	}{
		{"sluice", 0o755, path},
		{"copyright", 0o644, filepath.Join(made, "copyright")},
		{"sluice.1", 0o644, filepath.Join(made, "sluice.1")},
		{"README.md", 0o644, filepath.Join(r.repo, "packaging/README.md")},
		{"minimal.yaml", 0o644, filepath.Join(r.repo, "configs/minimal.yaml")},
		{"site.yaml", 0o644, filepath.Join(r.repo, "configs/site.yaml")},
		{"sluice.service", 0o644, filepath.Join(r.repo, "packaging/systemd/sluice.service")},
		{"sluice.sysusers", 0o644, filepath.Join(r.repo, "packaging/systemd/sluice.sysusers")},
		{"61-sluice.rules", 0o644, filepath.Join(r.repo, "packaging/systemd/61-sluice.rules")},
		{"sluice.openrc", 0o755, filepath.Join(r.repo, "packaging/init/sluice.openrc")},
		{"sluice.procd", 0o755, filepath.Join(r.repo, "packaging/init/sluice.procd")},
	} {
		if err := a.copy(name+"/"+f.name, f.mode, f.path); err != nil {
			return nil, err
		}
	}
	return a.bytes()
}
