package point_test

import (
	"math"
	"testing"

	"sluice/mapping/point"
)

func TestValue(t *testing.T) {
	for _, tt := range []struct {
		value point.Value
		kind  point.Kind
		float float64
		text  string
	}{
		{point.Value{}, point.None, math.NaN(), "–"},
		{point.BoolValue(true), point.Bool, 1, "true"},
		{point.BoolValue(false), point.Bool, 0, "false"},
		{point.IntValue(math.MinInt64), point.Int, math.MinInt64, "-9223372036854775808"},
		{point.UintValue(math.MaxUint64), point.Uint, math.MaxUint64, "18446744073709551615"},
		{point.FloatValue(-0.1), point.Float, -0.1, "-0.1"},
		{point.FloatValue(math.NaN()), point.None, math.NaN(), "–"},
		{point.FloatValue(math.Inf(1)), point.None, math.NaN(), "–"},
		{point.TextValue("on"), point.Text, math.NaN(), "on"},
	} {
		if got := tt.value.Kind(); got != tt.kind {
			t.Errorf("%v: kind %d, want %d", tt.value, got, tt.kind)
		}
		if got := tt.value.Float(); got != tt.float && !(math.IsNaN(got) && math.IsNaN(tt.float)) {
			t.Errorf("%v: as a number %v, want %v", tt.value, got, tt.float)
		}
		if got := tt.value.String(); got != tt.text {
			t.Errorf("text %q, want %q", got, tt.text)
		}
	}
}

// TestOtherKindsAreZero makes sure that a value is never taken for one of
// another kind.
func TestOtherKindsAreZero(t *testing.T) {
	for _, v := range []point.Value{{}, point.BoolValue(true), point.IntValue(1), point.UintValue(1), point.FloatValue(1), point.TextValue("1")} {
		if v.Kind() != point.Bool && v.Bool() || v.Kind() != point.Int && v.Int() != 0 ||
			v.Kind() != point.Uint && v.Uint() != 0 || v.Kind() != point.Text && v.Text() != "" {
			t.Errorf("a value of kind %d reads as another kind", v.Kind())
		}
	}
	if point.IntValue(1) == point.UintValue(1) || point.BoolValue(true) == point.UintValue(1) {
		t.Error("values of different kinds are equal")
	}
}

func TestQuality(t *testing.T) {
	for q, want := range map[point.Quality]string{point.Good: "good", point.Uncertain: "uncertain", point.Stale: "stale", point.Bad: "bad"} {
		if q.String() != want {
			t.Errorf("quality %d is called %s, want %s", q, q, want)
		}
	}
}
