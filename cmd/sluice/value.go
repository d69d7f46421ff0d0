package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"sluice/mapping"
	"sluice/mapping/point"
)

// parseValue reads a value that a person typed for a point: a number in decimal
// or with 0x, true or false, on or off, 1 or 0, or a text.
func parseValue(text string, p mapping.Point) (point.Value, error) {
	kind := p.Kind()
	if kind == point.Text {
		return point.TextValue(text), nil
	}
	text = strings.TrimSpace(text)
	if kind == point.Bool {
		return parseBool(text)
	}
	return parseNumber(text)
}

// valueText writes a value for a person, very small and very large numbers with
// an exponent: those in a wrong order have dozens of zeros.
func valueText(v point.Value) string {
	if v.Kind() == point.Float {
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	return v.String()
}

func parseBool(text string) (point.Value, error) {
	switch strings.ToLower(text) {
	case "1", "true", "on":
		return point.BoolValue(true), nil
	case "0", "false", "off":
		return point.BoolValue(false), nil
	}
	return point.Value{}, usage("%q is neither on nor off", "write 1, true or on; 0, false or off", text)
}

func parseNumber(text string) (point.Value, error) {
	if digits, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		if u, err := strconv.ParseUint(digits, 16, 64); err == nil {
			return point.UintValue(u), nil
		}
	} else if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return point.IntValue(i), nil
	} else if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return point.UintValue(u), nil
	} else if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
		return point.FloatValue(f), nil
	}
	fix := "write it in digits, e.g. 17, -2.5 or 0x11"
	if strings.Contains(text, ",") {
		fix = fmt.Sprintf("write %s", strings.Replace(text, ",", ".", 1))
	}
	return point.Value{}, usage("%q is not a number", fix, text)
}
