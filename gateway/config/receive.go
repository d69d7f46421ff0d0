package config

import (
	"strings"

	"sluice/broker/topic"
	"sluice/mapping"
)

// receive reads the rules for what comes down.
func (r *reader) receive(n mapping.Node, send []Rule) []Rule {
	var rules []Rule
	items := n.Seq()
	for _, item := range items {
		m := item.Map("match", "exclude", "strip", "to", "qos", "retain", "drop")
		rule := r.rule(m)
		rule.QoS = byte(m.Get("qos").Int(0, 1, 1))
		rules = append(rules, rule)
		if from, ok := echo(send, rule); ok && !rule.Drop && !r.commanding(rule) {
			item.Warn("exclude it there", "nothing would come down: the rule that sends %q sends all of this up", from)
		}
	}
	checkRules(items, rules)
	return rules
}

// commanding reports whether all that a rule receives are commands, which no rule
// sends.
func (r *reader) commanding(rule Rule) bool {
	local := rule.upstream(rule.Match)
	return r.commandsAt != "" && topic.CheckFilter(local) == nil && topic.Covers(r.commandsAt, local)
}

// echo returns the rule by which all that rule would receive is sent: a topic
// upstream is written by one side.
func echo(send []Rule, rule Rule) (from string, found bool) {
	for _, s := range send {
		if s.Drop {
			continue
		}
		for _, e := range s.Exclude {
			if topic.Covers(s.upstream(e), rule.Match) {
				return "", false
			}
		}
		if sent := s.upstream(s.Match); topic.CheckFilter(sent) == nil && topic.Covers(sent, rule.Match) {
			return s.Match, true
		}
	}
	return "", false
}

// upstream returns the filter of what a rule makes of the topics of a filter.
func (r *Rule) upstream(filter string) string {
	return strings.ReplaceAll(r.To, "{topic}", strings.TrimPrefix(filter, r.Strip))
}
