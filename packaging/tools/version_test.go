package main

import "testing"

func TestVersions(t *testing.T) {
	for _, tt := range []struct{ goVersion, semver, tilde, alpine string }{
		{"v1.2.3", "1.2.3", "1.2.3", "1.2.3"},
		{"v1.2.3+dirty", "1.2.3+dirty", "1.2.3+dirty", "1.2.3"},
		{"v1.2.3-rc.1", "1.2.3-rc.1", "1.2.3~rc.1", "1.2.3_pre1"},
		{"v0.0.0-20261121081554-90f87a94c0ff", "0.0.0-20261121081554-90f87a94c0ff",
			"0.0.0~20261121081554.90f87a94c0ff", "0.0.0_pre20261121_p081554"},
		{"v1.2.4-0.20261121081554-90f87a94c0ff+dirty", "1.2.4-0.20261121081554-90f87a94c0ff+dirty",
			"1.2.4~0.20261121081554.90f87a94c0ff+dirty", "1.2.4_pre20261121_p081554"},
		{"(devel)", "0.0.0-dev", "0.0.0~dev", "0.0.0_pre"},
		{"", "0.0.0-dev", "0.0.0~dev", "0.0.0_pre"},
	} {
		v, err := parseVersion(tt.goVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range [][2]string{{v.String(), tt.semver}, {v.tilde(), tt.tilde}, {v.alpine(), tt.alpine}} {
			if got[0] != got[1] {
				t.Errorf("%q: %s, want %s", tt.goVersion, got[0], got[1])
			}
		}
	}
}

func TestNoVersion(t *testing.T) {
	for _, text := range []string{"1.2.3", "v1.2", "v1.2.3 ", "v1.2.3\n"} {
		if v, err := parseVersion(text); err == nil {
			t.Errorf("%q is taken for %s", text, v)
		}
	}
}
