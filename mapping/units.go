package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/drivers/modbus"
)

// readUnits reads `units`: numbers and ranges such as 5-18.
func readUnits(n Node, first, last int) []modbus.UnitID {
	var units []modbus.UnitID
	if n.IsScalar() {
		n.Problem("write "+unitsFix(n.text()), "must be a list, not %q", n.text())
		return nil
	}
	items := n.Seq()
	if n.Present() && len(items) == 0 {
		n.Problem("write the units, [1, 2, 5-18]", "there is no unit")
	}
	for _, item := range items {
		from, to, ok := parseRange(item.Text())
		switch {
		case !ok:
			item.Problem("write a number or a range, 5-18", "%q is no unit", item.Text())
			continue
		case from < first || to > last || from > to:
			item.Problem(fmt.Sprintf("write numbers from %d to %d, the lower one first", first, last), "%s is out of range", item.Text())
			continue
		}
		for u := from; u <= to; u++ {
			if slices.Contains(units, modbus.UnitID(u)) {
				item.Problem("take one of them out", "unit %d is given twice", u)
				break
			}
			units = append(units, modbus.UnitID(u))
		}
	}
	return units
}

// unitsFix is a text as the list that it probably means.
func unitsFix(s string) string {
	items := strings.FieldsFunc(strings.ReplaceAll(s, "..", "-"), func(r rune) bool { return r == ',' || r == ' ' || r == ';' })
	for _, item := range items {
		if _, _, ok := parseRange(item); !ok {
			return "the units, [1, 2, 5-18]"
		}
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func parseRange(s string) (from, to int, ok bool) {
	low, high, isRange := strings.Cut(s, "-")
	if !isRange {
		high = low
	}
	from, err1 := strconv.Atoi(strings.TrimSpace(low))
	to, err2 := strconv.Atoi(strings.TrimSpace(high))
	return from, to, err1 == nil && err2 == nil
}

// checkPattern checks the id of a device that stands for several.
func (r *deviceReader) checkPattern(id Node) {
	s := id.Text()
	if s == "" {
		return
	}
	if !strings.Contains(s, "{unit}") {
		id.Problem("write "+s+"-{unit}", "the devices of units would share one id")
		return
	}
	id.replaced(strings.ReplaceAll(s, "{unit}", "247")).ID()
}
