package mapping

import "fmt"

// Place is where something stands in a file, for messages about it.
type Place struct {
	File string
	Line int // from 1; 0: nowhere
}

// String returns "site.yaml:12".
func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Place returns where the mapping begins.
func (m Map) Place() Place { return m.node.Place() }

// Place returns where n stands, or would stand.
func (n Node) Place() Place {
	at := n.yaml
	if at == nil {
		at = n.outer
	}
	if at == nil {
		return Place{File: n.file.Name}
	}
	return Place{n.file.Name, at.Line}
}
