package main

import (
	"fmt"
	"regexp"
	"strings"
)

// version is that of the module, as Go derives it from git: a tag, or a time and a
// commit behind the tag before it.
type version struct {
	base   string // 1.2.3
	before string // what makes it older than base, such as rc.1; empty in a release
	build  string // dirty: not all of it was committed
}

var goVersion = regexp.MustCompile(`^v(\d+\.\d+\.\d+)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$`)

// parseVersion reads the version that Go stamps into a program. One that is not
// stamped counts as older than all.
func parseVersion(text string) (version, error) {
	if text == "" || text == "(devel)" {
		return version{base: "0.0.0", before: "dev"}, nil
	}
	m := goVersion.FindStringSubmatch(text)
	if m == nil {
		return version{}, fmt.Errorf("%q is no version", text)
	}
	return version{m[1], m[2], m[3]}, nil
}

// String is the version as semver has it.
func (v version) String() string { return v.join("-", v.before) }

// tilde is the version as Debian, RPM and OpenWrt compare it: what follows ~ is older.
func (v version) tilde() string { return v.join("~", strings.ReplaceAll(v.before, "-", ".")) }

func (v version) join(mark, before string) string {
	text := v.base
	if before != "" {
		text += mark + before
	}
	if v.build != "" {
		text += "+" + v.build
	}
	return text
}

var (
	goTime = regexp.MustCompile(`(\d{8})(\d{6})-[0-9a-f]{12}$`)
	digits = regexp.MustCompile(`\d+`)
)

// alpine is the version as apk compares it. It knows no words, only numbers behind
// its suffixes, of 31 bits at most; so date and time become two of them.
func (v version) alpine() string {
	if m := goTime.FindStringSubmatch(v.before); m != nil {
		return v.base + "_pre" + m[1] + "_p" + m[2]
	}
	if v.before == "" {
		return v.base
	}
	return v.base + "_pre" + digits.FindString(v.before)
}
