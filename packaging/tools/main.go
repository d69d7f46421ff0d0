// Command tools makes the packages of Sluice from its cross-built programs:
// .deb, .rpm, .apk, .ipk, tar.gz and an OCI archive, with their bill of materials
// and checksums. What it writes depends on nothing but the programs and the files
// in this repository, so the same commit gives the same bytes.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	repo := flag.String("repo", "../..", "folder of the repository")
	from := flag.String("from", "../../dist", "folder of the programs, sluice-linux-*")
	to := flag.String("to", "../../dist/packages", "folder to write to; what is in it goes")
	flag.Parse()
	if err := pack(*repo, *from, *to); err != nil {
		log.Fatal(err)
	}
}

// pack writes everything to a folder, for the targets of which the program is there.
func pack(repo, from, to string) error {
	to, err := emptied(to)
	if err != nil {
		return err
	}
	r, err := newRelease(repo, from)
	if err != nil {
		return err
	}
	made, err := os.MkdirTemp("", "sluice-pack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	for _, step := range []func() error{
		func() error { return writeDocs(r, made) },
		func() error { return writePackages(r, made, to) },
		func() error { return writeTarballs(r, made, to) },
		func() error { return writeImage(r, made, to) },
		func() error { return writeBill(r, to) },
		func() error { return writeSums(to) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	fmt.Printf("sluice %s in %s\n", r.version, to)
	return nil
}

// emptied returns the absolute path of a folder that is there and empty.
func emptied(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}
