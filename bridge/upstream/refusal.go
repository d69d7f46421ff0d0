package upstream

import (
	"errors"
	"fmt"
)

// refusal says what a technician has to change after a CONNACK that refuses the
// connection (MQTT 3.1.1, 3.2.2.3).
func refusal(code byte, clientID string) error {
	switch code {
	case 1:
		return errors.New("upstream refuses MQTT 3.1.1: its operator must allow that version")
	case 2:
		return fmt.Errorf("upstream refuses the client id %q: give this bridge one of letters, digits, - and _ that is registered there", clientID)
	case 3:
		return errors.New("upstream is not available: it answers, but takes no connections now")
	case 4:
		return errors.New("upstream refuses the credentials: check user name and password of this bridge")
	case 5:
		return fmt.Errorf("upstream does not authorise client id %q: check user name and password or certificate, and its permissions there", clientID)
	default:
		return fmt.Errorf("upstream refuses the connection with code %d, which MQTT 3.1.1 does not define", code)
	}
}
