package config

import (
	"regexp"
	"slices"
	"strings"

	"sluice/broker/topic"
	"sluice/mapping"
)

// Limits of published topics that every broker upstream can take; the strictest
// of the large clouds allows 8 levels and 256 bytes.
const (
	maxTopicLevels = 8
	maxTopicBytes  = 256
)

var (
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	levelChars  = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// checkTopicTemplate reports why the topics rendered from the template at n
// could not be published everywhere. names are the placeholders it may hold.
func (r *reader) checkTopicTemplate(n mapping.Node, names ...string) {
	template := n.Text()
	for _, p := range placeholder.FindAllString(template, -1) {
		if !slices.Contains(names, strings.Trim(p, "{}")) {
			n.Problem("use {"+strings.Join(names, "}, {")+"}", "%s is not known here", p)
			return
		}
	}
	rendered := placeholder.ReplaceAllString(template, "x")
	levels := strings.Split(rendered, "/")
	for _, level := range levels {
		switch {
		case level == "":
			n.Problem("no / at the beginning or end, no // inside", "%q has an empty level", template)
			return
		case !levelChars.MatchString(level):
			n.Problem("use letters, digits, \"-\" and \"_\" between the slashes: some brokers change or refuse the rest",
				"level %q cannot be published everywhere", level)
			return
		}
	}
	if len(levels) > maxTopicLevels || len(rendered) > maxTopicBytes {
		n.Problem("use at most 8 levels and 256 bytes", "%q is too long for some clouds", template)
	}
}

// filter reads a topic filter in which {site} and {gateway} may stand.
func (r *reader) filter(n mapping.Node) string {
	s := r.expand(n)
	if s == "" {
		return ""
	}
	if err := topic.CheckFilter(s); err != nil {
		n.Problem("write topic levels; + stands for one level, # at the end for all below", "%q: %s", n.Text(), err)
	}
	if strings.HasPrefix(s, "$") {
		n.Problem("leave it out", "topics that begin with $ belong to the broker itself and are never bridged")
	}
	return s
}

// expand returns the text at n with {site} and {gateway} filled in; further are
// the placeholders that may remain.
func (r *reader) expand(n mapping.Node, further ...string) string {
	s := strings.NewReplacer("{site}", r.siteID, "{gateway}", r.gateway).Replace(n.Text())
	for _, p := range placeholder.FindAllString(s, -1) {
		if !slices.Contains(further, p) {
			n.Problem("use "+strings.Join(append([]string{"{site}", "{gateway}"}, further...), ", "), "%s is not known here", p)
		}
	}
	return s
}
