package command

import (
	"encoding/json"
	"fmt"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping/point"
)

// Outcome is what became of a command.
type Outcome string

// The outcomes. After unknown, and only then, the device may have carried out the
// command or not.
const (
	OK       Outcome = "ok"       // the device confirmed it
	Rejected Outcome = "rejected" // by the gateway: it may not be written, or makes no sense
	Refused  Outcome = "refused"  // by the device, with an exception
	Failed   Outcome = "failed"   // it did not reach the device, or the device holds another value
	Expired  Outcome = "expired"  // it was too old before it could go out
	Unknown  Outcome = "unknown"  // it went out, and no answer came
)

// Result is what is told of a command.
type Result struct {
	ID      string          `json:"id,omitempty"`
	Outcome Outcome         `json:"result"`
	Value   json.RawMessage `json:"value,omitempty"` // that was read back
	Reason  string          `json:"reason,omitempty"`
	Time    int64           `json:"ts"` // ms since 1970
}

// maxReason bounds a reason in bytes.
const maxReason = 200

func result(o Outcome, format string, args ...any) Result {
	reason := fmt.Sprintf(format, args...)
	return Result{Outcome: o, Reason: reason[:min(len(reason), maxReason)], Time: time.Now().UnixMilli()}
}

// text is the payload of a result.
func (r Result) text() []byte {
	text, err := json.Marshal(r)
	if err != nil { // its value is JSON: it cannot fail
		return nil
	}
	return text
}

// jsonValue writes a value that was read back.
func jsonValue(v point.Value) json.RawMessage {
	switch v.Kind() {
	case point.None:
		return nil
	case point.Text:
		text, _ := json.Marshal(v.Text()) // of a string cannot fail
		return text
	default:
		return json.RawMessage(v.String())
	}
}

// reasonOf says in words why an exchange failed.
func reasonOf(err error) string {
	reason := modbus.Reason(err)
	if e, ok := exceptionOf(err); ok {
		return fmt.Sprintf("%s (%s)", reason, modbus.ExceptionName(e))
	}
	return reason
}
