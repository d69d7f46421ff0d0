package poll_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/gateway/poll"
)

func TestStateOfADevice(t *testing.T) {
	refused := &modbus.Error{Fault: modbus.Refused, Exception: 2}
	for _, tt := range []struct {
		name  string
		first func() ([]byte, error) // for five seconds
		then  func() ([]byte, error)
		want  poll.State
		error string
	}{
		{"answers", answer, answer, poll.Online, ""},
		{"silent", silent, silent, poll.Offline, "timeout"},
		{"comes", silent, answer, poll.Online, "timeout"},
		{"goes", answer, silent, poll.Offline, "timeout"},
		{"refuses", answer, func() ([]byte, error) { return nil, refused }, poll.Degraded, "exception 2"},
		{"gives in", func() ([]byte, error) { return nil, refused }, answer, poll.Online, "exception 2"},
		{"unplugged", answer, func() ([]byte, error) { return nil, &modbus.Error{Fault: modbus.Medium, Err: errors.New("gone")} }, poll.Unknown, "port down"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &site{takes: 10 * ms}
			s.answers = map[modbus.UnitID]func() ([]byte, error){1: func() ([]byte, error) {
				if time.Since(s.start) < 5*time.Second {
					return tt.first()
				}
				return tt.then()
			}}
			u := s.run(t, 20*time.Second, device(1, time.Second)).Stats().Units[0]
			if u.State != tt.want || u.Error != tt.error || u.Since.IsZero() {
				t.Errorf("%s: %+v", tt.name, u)
			}
			if good := time.Since(u.LastGood) < 2*time.Second; good != (tt.want == poll.Online) {
				t.Errorf("%s: last good reply %v ago", tt.name, time.Since(u.LastGood))
			}
		})
	}
}

func answer() ([]byte, error) { return []byte{0, 7}, nil }
