package mapping

// readLimits reads `poll`: what the device puts up with in one request.
func readLimits(n Node) Limits {
	m := n.Map("max_registers", "max_gap")
	l := Limits{MaxRegisters: m.Get("max_registers").Int(1, maxRegisters, 0)}
	if gap := m.Get("max_gap"); gap.Present() {
		l.MaxGap = gap.Int(0, maxRegisters, 0)
		if l.MaxGap == 0 {
			l.MaxGap = -1
		}
	}
	return l
}

// readWrites reads `on_connect`: what is written before the device is polled.
func readWrites(n Node, numbering string) []Write {
	var writes []Write
	for _, item := range n.Seq() {
		m := item.Map("register", "value").Named(n.name.String())
		w := Write{}
		if register := m.Need("register", "holding 40101"); register.Present() {
			var ok bool
			if w.Register, ok = readRegister(register, numbering); !ok {
				continue
			}
			if w.Register.Table == Discrete || w.Register.Table == Input {
				register.Problem("write a coil or a holding register", "%s cannot be written", w.Register)
				continue
			}
		}
		w.Value = readWord(m.Need("value", "1"), w.Register.Table)
		writes = append(writes, w)
	}
	return writes
}

// readWord reads what a register holds, negative numbers as two's complement,
// or a coil: 1 or true, 0 or false.
func readWord(n Node, table Table) uint16 {
	if table != Coil {
		return uint16(n.Int(-1<<15, 1<<16-1, 0))
	}
	if s := n.text(); s == "1" || s != "0" && n.Bool(false) {
		return 1
	}
	return 0
}
