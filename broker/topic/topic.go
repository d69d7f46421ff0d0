// Package topic is the vocabulary of MQTT that broker, bridge and publisher
// share: topic names, topic filters and the message that travels on them. It
// knows nothing of connections or packets.
package topic

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// MaxBytes is the longest topic name or filter MQTT can carry [MQTT-4.7.3-3].
const MaxBytes = 65535

var (
	errEmpty    = errors.New("topic is empty")
	errLong     = errors.New("topic is longer than 65535 bytes")
	errUTF8     = errors.New("topic is not valid UTF-8 or holds a NUL character")
	errWildcard = errors.New("topic name holds a wildcard (+ or #)")
	errHash     = errors.New("# must be the last level of a filter, alone")
	errPlus     = errors.New("+ must stand for a whole level of a filter")
)

// CheckName reports why name may not be published to, or nil
// ([MQTT-4.7.1-1], [MQTT-4.7.3-1] to [MQTT-4.7.3-3]).
func CheckName(name string) error {
	if err := check(name); err != nil {
		return err
	}
	if strings.ContainsAny(name, "+#") {
		return errWildcard
	}
	return nil
}

// CheckFilter reports why filter may not be subscribed to, or nil
// ([MQTT-4.7.1-2], [MQTT-4.7.1-3]).
func CheckFilter(filter string) error {
	if err := check(filter); err != nil {
		return err
	}
	for level, rest, more := strings.Cut(filter, "/"); ; level, rest, more = strings.Cut(rest, "/") {
		if strings.Contains(level, "#") && (level != "#" || more) {
			return errHash
		}
		if strings.Contains(level, "+") && level != "+" {
			return errPlus
		}
		if !more {
			return nil
		}
	}
}

func check(s string) error {
	switch {
	case s == "":
		return errEmpty
	case len(s) > MaxBytes:
		return errLong
	case !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0:
		return errUTF8
	}
	return nil
}

// Match reports whether a message on name reaches a subscription to filter.
// Wildcards at the first level do not match names that begin with $
// [MQTT-4.7.2-1]; "a/#" matches its parent "a". Both arguments must be valid.
func Match(filter, name string) bool {
	if strings.HasPrefix(name, "$") && !strings.HasPrefix(filter, "$") {
		return false
	}
	for {
		flevel, frest, fmore := strings.Cut(filter, "/")
		if flevel == "#" {
			return true
		}
		nlevel, nrest, nmore := strings.Cut(name, "/")
		if flevel != "+" && flevel != nlevel {
			return false
		}
		switch {
		case !fmore && !nmore:
			return true
		case fmore && !nmore:
			return frest == "#"
		case !fmore:
			return false
		}
		filter, name = frest, nrest
	}
}
