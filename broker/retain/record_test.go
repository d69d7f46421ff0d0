package retain

import (
	"reflect"
	"testing"
	"time"
)

// FuzzRecord: what is read is written the same again, and nothing makes the reader
// fail.
func FuzzRecord(f *testing.F) {
	f.Add(appendRecord(nil, Message{Topic: "a/b", Payload: []byte("x"), QoS: 1}))
	f.Add(appendRecord(nil, Message{Topic: "a", Properties: []byte{1, 1}, Expires: time.UnixMilli(1795237507000)}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseRecord(b)
		if err != nil {
			return
		}
		again, err := parseRecord(appendRecord(nil, m))
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}
