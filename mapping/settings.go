package mapping

import (
	"slices"
	"time"

	"sluice/mapping/layout"
)

// Limits of the values in a site file.
const (
	minInterval = 10 * time.Millisecond
	maxInterval = 24 * time.Hour
	minTimeout  = 10 * time.Millisecond
	maxTimeout  = 30 * time.Second
	maxOffline  = 1000
	maxAbsence  = time.Hour
	maxStale    = 1000
)

// Settings are what `defaults` and each device may set for what lies below
// them.
type Settings struct {
	Interval     time.Duration // between two polls of a point
	Timeout      time.Duration // end of a request to the first byte of its reply
	OfflineAfter int           // failed exchanges in a row until a device counts as offline
	OfflineTime  time.Duration // and no answer for so long
	StaleAfter   int           // intervals after which a value that was not read again is stale; 0: never
	NoCanary     bool          // function 8 is never sent to find out whether an old reply is still to come
	Report       Report        // of points
}

// DefaultSettings hold where a site file says nothing. Meters have been seen to
// exceed 300 ms under load, hence the timeout.
var DefaultSettings = Settings{
	Interval: 5 * time.Second, Timeout: 500 * time.Millisecond, OfflineAfter: 3, OfflineTime: 3 * time.Second, StaleAfter: 3,
}

// settingKeys are the keys that ReadSettings understands.
var settingKeys = append([]string{"interval", "timeout", "offline_after", "offline_time", "stale_after", "canary"}, reportKeys...)

// SettingKeys are the keys that InheritSettings understands.
func SettingKeys() []string { return slices.Clone(settingKeys) }

// InheritSettings reads the settings among the keys of a mapping; what it does
// not set is as outer has it.
func InheritSettings(m Map, outer Settings) Settings { return readSettings(m, outer) }

// ReadSettings reads the settings in the mapping `defaults`.
func ReadSettings(n Node) Settings {
	return readSettings(n.As("defaults").Map(settingKeys...), DefaultSettings)
}

func readSettings(m Map, outer Settings) Settings {
	return Settings{
		Interval:     m.Get("interval").Duration(minInterval, maxInterval, outer.Interval),
		Timeout:      m.Get("timeout").Duration(minTimeout, maxTimeout, outer.Timeout),
		OfflineAfter: m.Get("offline_after").Int(1, maxOffline, outer.OfflineAfter),
		OfflineTime:  m.Get("offline_time").Duration(0, maxAbsence, outer.OfflineTime),
		StaleAfter:   m.Get("stale_after").Int(0, maxStale, outer.StaleAfter),
		NoCanary:     readCanary(m.Get("canary"), outer.NoCanary),
		Report:       readReport(m, outer.Report),
	}
}

func readCanary(n Node, outer bool) bool {
	if !n.Present() {
		return outer
	}
	return n.Choice("auto", "never") == "never"
}

// form is how values lie in registers unless a point says otherwise.
type form struct {
	numbering string
	order     layout.Order
	most      int // registers that the device gives at once
}

// readForm reads what a device, or a template, says for all of its points.
func readForm(m Map, outer form) form {
	f := form{readNumbering(m, outer.numbering), outer.order, outer.most}
	if n := m.Get("order"); n.Present() {
		f.order = readOrders(n)
	}
	return f
}

func readNumbering(m Map, outer string) string {
	if n := m.Get("numbering"); n.Present() {
		return n.Choice(numberings...)
	}
	return outer
}
