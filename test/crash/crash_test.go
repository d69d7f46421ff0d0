package main

import "testing"

func TestPowerCuts(t *testing.T) {
	for k, sum := range crash(t, 3000, 0) {
		t.Logf("%v: %v", kind(k), sum)
	}
}
