// Package formula computes values from other values: 1.732 * voltage * current.
// Package mapping makes derived points of it. It knows nothing of devices; what
// it computes has no side effect, no loop and no memory, and ends.
package formula

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"sluice/mapping/point"
)

// MaxNodes bounds a formula: its operators, names and constants, and with them
// the time that it takes.
const MaxNodes = 200

// functions may be used besides the operators; all of them take numbers.
var functions = [...]string{"abs", "ceil", "floor", "max", "min", "round"}

// errNothing is a result that no point can have.
var errNothing = errors.New("not a number")

// Formula is compiled once and may be used by several goroutines.
type Formula struct {
	text    string
	program *vm.Program
	inputs  []string
	kind    point.Kind
}

// Compile reads a formula over points, given by id with the kinds of their values.
// It is a subset of the Expr language: numbers, texts, true and false, + - * / **,
// comparisons, and, or, not, a ? b : c, and the functions abs, ceil, floor, max, min
// and round. A "-" in an id is written "_". Every number is a float.
func Compile(text string, kinds map[string]point.Kind) (*Formula, error) {
	env := map[string]any{} // what the library knows names by
	ids := map[string]string{}
	for id, kind := range kinds {
		name := Name(id)
		if other, taken := ids[name]; taken && strings.Contains(text, name) {
			return nil, fmt.Errorf("%s may be %s or %s", name, min(id, other), max(id, other))
		}
		ids[name] = id
		env[name] = plain(kind, point.Value{})
	}
	options := []expr.Option{expr.Env(env), expr.MaxNodes(MaxNodes), expr.DisableAllBuiltins(), expr.Optimize(false)}
	for _, name := range functions {
		options = append(options, expr.EnableBuiltin(name))
	}
	program, err := expr.Compile(text, options...)
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return nil, errors.New(first)
	}
	f := &Formula{text: text, program: program, kind: kindOf(program.Node().Type())}
	if f.kind == point.None {
		return nil, errors.New("gives neither a number nor a text nor true or false")
	}
	names := &used{ids: ids}
	node := program.Node()
	if ast.Walk(&node, names); names.strange {
		return nil, errors.New("uses more of the language than points need")
	}
	slices.Sort(names.found)
	f.inputs = slices.Compact(names.found)
	if len(f.inputs) == 0 {
		return nil, errors.New("names no point")
	}
	return f, nil
}

// Name is how a formula calls a point.
func Name(id string) string { return strings.ReplaceAll(id, "-", "_") }

// String returns the formula as it was written.
func (f *Formula) String() string { return f.text }

// Inputs are the ids of the points that the formula names, sorted.
func (f *Formula) Inputs() []string { return slices.Clone(f.inputs) }

// Kind is what Eval returns.
func (f *Formula) Kind() point.Kind { return f.kind }

// Eval computes the value from those of the inputs, in their order. The error says
// why there is none: a division by zero is not a number.
func (f *Formula) Eval(values []point.Value) (point.Value, error) {
	env := make(map[string]any, len(values))
	for i, v := range values {
		env[Name(f.inputs[i])] = plain(v.Kind(), v)
	}
	result, err := expr.Run(f.program, env)
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return point.Value{}, errors.New(first)
	}
	v := valueOf(result)
	if v.Kind() != f.kind {
		return point.Value{}, errNothing
	}
	return v, nil
}

// used collects the points that a formula names, and notices everything that is
// not arithmetic: the language has loops over lists, which could run for long.
type used struct {
	ids     map[string]string
	found   []string
	strange bool
}

// Visit is called by the library for each part of a formula.
func (u *used) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		u.strange = u.strange || u.ids[n.Value] == ""
		u.found = append(u.found, u.ids[n.Value])
	case *ast.BinaryNode:
		u.strange = u.strange || n.Operator == ".." || n.Operator == "matches"
	case *ast.BuiltinNode:
		u.strange = u.strange || !slices.Contains(functions[:], n.Name)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.UnaryNode, *ast.ConditionalNode:
	default:
		u.strange = true
	}
}

// plain is a value as the library takes it.
func plain(kind point.Kind, v point.Value) any {
	switch kind {
	case point.Bool:
		return v.Bool()
	case point.Text:
		return v.Text()
	default:
		if v.Kind() == point.None {
			return 0.0
		}
		return v.Float()
	}
}

func valueOf(result any) point.Value {
	switch r := result.(type) {
	case float64:
		return point.FloatValue(r)
	case int:
		return point.FloatValue(float64(r))
	case bool:
		return point.BoolValue(r)
	case string:
		return point.TextValue(r)
	default:
		return point.Value{}
	}
}

func kindOf(t reflect.Type) point.Kind {
	if t == nil {
		return point.None
	}
	switch t.Kind() {
	case reflect.Float64, reflect.Int:
		return point.Float
	case reflect.Bool:
		return point.Bool
	case reflect.String:
		return point.Text
	default:
		return point.None
	}
}
