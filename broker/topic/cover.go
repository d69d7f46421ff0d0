package topic

import "strings"

// Covers reports whether every name that matches other matches filter too. Both
// must be valid filters.
func Covers(filter, other string) bool {
	if strings.HasPrefix(other, "$") && !strings.HasPrefix(filter, "$") {
		return false
	}
	for {
		flevel, frest, fmore := strings.Cut(filter, "/")
		olevel, orest, omore := strings.Cut(other, "/")
		switch {
		case flevel == "#":
			return true
		case olevel == "#" || flevel != "+" && flevel != olevel:
			return false
		case !fmore && !omore:
			return true
		case fmore && !omore:
			return frest == "#"
		case !fmore:
			return false
		}
		filter, other = frest, orest
	}
}
