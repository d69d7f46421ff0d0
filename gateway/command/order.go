package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sluice/mapping/point"
)

// maxID bounds the id of a command in bytes.
const maxID = 64

// order is what the payload of a command says.
type order struct {
	id     string        // empty: none
	text   string        // of the value
	maxAge time.Duration // 0: as the point has it
	sent   time.Time     // zero: not said
}

// object is an order in JSON.
type object struct {
	Value  json.RawMessage `json:"value"`
	ID     string          `json:"id"`
	MaxAge *float64        `json:"max_age"` // ms
	TS     *int64          `json:"ts"`      // ms since 1970
}

// parse reads a payload: a JSON object, or the bare value. The id is returned with
// an error, too, where it can be read.
func parse(payload []byte) (order, error) {
	if len(payload) > maxPayload {
		return order{}, fmt.Errorf("a command is %d bytes at most", maxPayload)
	}
	text := bytes.TrimSpace(payload)
	if len(text) == 0 || text[0] != '{' {
		return order{text: string(text)}, nil
	}
	var in object
	if err := json.Unmarshal(text, &in); err != nil {
		return order{}, fmt.Errorf("this is no command in JSON: %w", err)
	}
	if len(in.ID) > maxID {
		return order{}, fmt.Errorf("an id is %d bytes at most", maxID)
	}
	o := order{id: in.ID}
	if in.TS != nil {
		o.sent = time.UnixMilli(*in.TS)
	}
	if ms := in.MaxAge; ms != nil {
		if !(*ms > 0 && *ms <= float64(math.MaxInt32)) {
			return o, fmt.Errorf("max_age is %v: it is in milliseconds, and above 0", *ms)
		}
		o.maxAge = time.Duration(*ms * float64(time.Millisecond))
	}
	return o.valued(in.Value)
}

// valued reads the value of a JSON object.
func (o order) valued(raw json.RawMessage) (order, error) {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return o, errors.New("there is no value in it")
	case raw[0] == '{' || raw[0] == '[':
		return o, errors.New("the value is no number, text, true or false")
	case raw[0] == '"':
		return o, json.Unmarshal(raw, &o.text)
	}
	o.text = string(raw)
	return o, nil
}

// value is what the order wants a point to be that has values of a kind.
func (o order) value(kind point.Kind) (point.Value, error) {
	switch kind {
	case point.Text:
		return point.TextValue(o.text), nil
	case point.Bool:
		return truth(o.text)
	default:
		return number(o.text)
	}
}

func truth(text string) (point.Value, error) {
	switch strings.ToLower(text) {
	case "1", "true", "on":
		return point.BoolValue(true), nil
	case "0", "false", "off":
		return point.BoolValue(false), nil
	}
	return point.Value{}, fmt.Errorf("%q is neither true nor false", shortened(text))
}

func number(text string) (point.Value, error) {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return point.IntValue(i), nil
	}
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return point.UintValue(u), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return point.Value{}, fmt.Errorf("%q is not a number", shortened(text))
	}
	return point.FloatValue(f), nil
}

// shortened is a text to be told of.
func shortened(text string) string { return text[:min(len(text), 40)] }
