package modbus_test

import (
	"errors"
	"fmt"
	"testing"

	"sluice/drivers/modbus"
)

func TestReason(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&modbus.Error{Fault: modbus.Refused, Exception: 2}, "exception 2"},
		{fmt.Errorf("poll: %w", &modbus.Error{Fault: modbus.Silent}), "timeout"},
		{&modbus.Error{Fault: modbus.Frame}, "damaged reply"},
		{&modbus.Error{Fault: modbus.Medium}, "port down"},
		{errors.New("cancelled"), "cancelled"},
	} {
		if got := modbus.Reason(tt.err); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
	}
}
