package payload

import (
	"errors"
	"fmt"
	"slices"
	"text/template/parse"
)

// Bounds of custom payloads.
const (
	maxTemplateBytes = 4 << 10
	maxCustomBytes   = 64 << 10
)

// limited is a buffer that refuses to grow beyond maxCustomBytes.
type limited struct{ text []byte }

var errTooLong = fmt.Errorf("the payload is longer than %d bytes", maxCustomBytes)

func (l *limited) Write(p []byte) (int, error) {
	if len(l.text)+len(p) > maxCustomBytes {
		return 0, errTooLong
	}
	l.text = append(l.text, p...)
	return len(p), nil
}

func boundedPrintf(format string, args ...any) (string, error) {
	s := fmt.Sprintf(format, args...)
	if len(s) > maxCustomBytes {
		return "", errTooLong
	}
	return s, nil
}

// functions are those of text/template that take no more time or memory than
// their arguments have.
func functions() []string {
	return []string{"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "printf"}
}

// bounded reports why a template might run for long: it calls a function that is
// not in functions, or ranges over something that is not .Points or .Labels, or
// inside another range.
func bounded(n parse.Node, inRange bool) error {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		return all(n.Nodes, inRange)
	case *parse.ActionNode:
		return bounded(n.Pipe, inRange)
	case *parse.PipeNode:
		return commands(n)
	case *parse.IfNode:
		return branch(n.BranchNode, inRange)
	case *parse.WithNode:
		return branch(n.BranchNode, inRange)
	case *parse.RangeNode:
		if over := n.Pipe.Cmds[0].String(); inRange || len(n.Pipe.Cmds) != 1 || !slices.Contains([]string{".Points", ".Labels"}, over) {
			return errors.New("range goes over .Points or .Labels, and not inside another range")
		}
		return branch(n.BranchNode, true)
	case *parse.TextNode, *parse.CommentNode, *parse.BreakNode, *parse.ContinueNode:
		return nil
	default:
		return fmt.Errorf("%s is not allowed", n)
	}
}

func branch(n parse.BranchNode, inRange bool) error {
	return errors.Join(commands(n.Pipe), bounded(n.List, inRange), bounded(n.ElseList, inRange))
}

func all(nodes []parse.Node, inRange bool) error {
	for _, n := range nodes {
		if err := bounded(n, inRange); err != nil {
			return err
		}
	}
	return nil
}

// commands checks the functions that a pipeline calls.
func commands(p *parse.PipeNode) error {
	for _, c := range p.Cmds {
		for _, arg := range c.Args {
			if err := argument(arg); err != nil {
				return err
			}
		}
	}
	return nil
}

func argument(n parse.Node) error {
	switch n := n.(type) {
	case *parse.PipeNode:
		return commands(n)
	case *parse.ChainNode: // (pipeline).Field
		return argument(n.Node)
	case *parse.IdentifierNode:
		if !slices.Contains(functions(), n.Ident) {
			return fmt.Errorf("the function %s is not allowed", n.Ident)
		}
	}
	return nil
}
