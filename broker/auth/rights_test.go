package auth_test

import (
	"testing"

	"sluice/broker/auth"
)

func TestGrant(t *testing.T) {
	rights := auth.Rights{Read: []string{"site/#", "own/%u/+"}, Write: []string{"cmd/%u/%c/#", "free/+"}}
	for _, tt := range []struct {
		user, client string
		write        bool
		topic        string
		want         bool
	}{
		{"anna", "c1", false, "site/a/b", true},
		{"anna", "c1", false, "site/#", true},
		{"anna", "c1", false, "site", true},
		{"anna", "c1", false, "#", false},
		{"anna", "c1", false, "+/a", false},
		{"anna", "c1", false, "$SYS/#", false},
		{"anna", "c1", false, "own/anna/x", true},
		{"anna", "c1", false, "own/+/x", false},
		{"anna", "c1", false, "own/berta/x", false},
		{"anna", "c1", true, "cmd/anna/c1", true},
		{"anna", "c1", true, "cmd/anna/c1/x/y", true},
		{"anna", "c1", true, "cmd/anna/c2/x", false},
		{"anna", "c1", true, "site/a", false},
		{"anna", "c1", true, "free/x", true},
		{"anna", "c1", true, "free/x/y", false},
		// A name must not reach beyond its level.
		{"anna", "+", true, "cmd/anna/x/y", false},
		{"anna", "#", true, "cmd/anna/x", false},
		{"anna", "c1/x", true, "cmd/anna/c1/x", false},
		{"", "c1", false, "own//x", false},
		{"+", "c1", false, "own/berta/x", false},
		{"%c", "c1", true, "cmd/%c/c1", true},
	} {
		g := rights.For(tt.user, tt.client)
		may := g.MayRead
		if tt.write {
			may = g.MayWrite
		}
		if may(tt.topic) != tt.want {
			t.Errorf("%+v", tt)
		}
	}
	if (auth.Grant{}).MayRead("a") || (auth.Grant{}).MayWrite("a") {
		t.Error("the zero Grant allows something")
	}
}

func TestRightsCheck(t *testing.T) {
	if err := (auth.Rights{Read: []string{"a/#"}, Write: []string{"%u/+"}}).Check(); err != nil {
		t.Error(err)
	}
	if (auth.Rights{Write: []string{"a/#/b"}}).Check() == nil {
		t.Error("a filter that is none was taken")
	}
}
