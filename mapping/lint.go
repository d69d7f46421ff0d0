package mapping

import "fmt"

// warnModicon warns of a number that looks like a Modicon number and is counted
// otherwise: the register read would be one of the last of the table.
func warnModicon(n Node, r Register, numbering string) {
	s := n.text()
	if i := len(s) - 5; numbering == "modicon" || i < 1 || s[i-1] != ' ' || r.Table < Input || s[i] != tables[r.Table].digit || s[i+1:] == "0000" || !isDigits(s[i:]) {
		return
	}
	first, err := ParseRegister(s, "modicon")
	if err != nil {
		return
	}
	n.Warn(fmt.Sprintf("write %s 0x%04x if the manual calls its first register %c0001, or %s 0x%04x if not", r.Table, first.Address,
		tables[r.Table].digit, r.Table, r.Address), "%s is counted %s here, as address %d, though it looks like a Modicon number", s, numbering, r.Address)
}

// checkLengths reports points that are longer than the device lets one request be.
func checkLengths(poll Node, l Limits, points []Point) {
	for i := range points {
		p := &points[i]
		if span := p.span(); l.MaxRegisters > 0 && !p.Register.Table.Bits() && span > l.MaxRegisters {
			poll.Problem(fmt.Sprintf("write %d or more, or take the point out", span),
				"max_registers is %d, but point %q alone is %d registers long", l.MaxRegisters, p.ID, span)
		}
	}
}
