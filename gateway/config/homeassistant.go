package config

import (
	"slices"

	"sluice/gateway/homeassistant"
	"sluice/gateway/publish"
	"sluice/mapping"
	"sluice/mapping/payload"
)

// homeAssistant reads `homeassistant`; with discovery the announcements and what
// Home Assistant says of itself never go upstream.
func (r *reader) homeAssistant(n mapping.Node, c *Config) bool {
	discovery := n.As("homeassistant").Map("discovery").Get("discovery")
	if !discovery.Bool(false) {
		return false
	}
	if !slices.ContainsFunc(c.Outputs, announced) {
		discovery.Problem("write payload: json in publish, or add such an output", "Home Assistant needs values in JSON, a topic for each point")
	}
	for i := range c.Bridges {
		c.Bridges[i].Send = append([]Rule{{Match: homeassistant.Prefix + "/#", Drop: true}}, c.Bridges[i].Send...)
	}
	return true
}

// announced reports whether Home Assistant can read an output.
func announced(o publish.Output) bool { return o.Format.Form == payload.JSON && !o.Grouped() }
