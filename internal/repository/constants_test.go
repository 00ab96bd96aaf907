package repository

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"math"
	"strings"
	"time"
)

// named finds the values that files give a name: as a constant or variable, as a
// field of a literal, or by assignment to a field.
func named(files []string, name string) ([]float64, error) {
	var found []ast.Expr
	consts := map[string]ast.Expr{}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			return nil, err
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, id := range n.Names {
					if i < len(n.Values) {
						consts[id.Name] = n.Values[i]
						if id.Name == name {
							found = append(found, n.Values[i])
						}
					}
				}
			case *ast.KeyValueExpr:
				if id, ok := n.Key.(*ast.Ident); ok && id.Name == name {
					found = append(found, n.Value)
				}
			case *ast.AssignStmt:
				for i, l := range n.Lhs {
					if s, ok := l.(*ast.SelectorExpr); ok && s.Sel.Name == name && i < len(n.Rhs) {
						found = append(found, n.Rhs[i])
					}
				}
			}
			return true
		})
	}
	var out []float64
	for _, e := range found {
		if v := evaluate(e, consts); v.Kind() != constant.Unknown {
			f, _ := constant.Float64Val(v)
			out = append(out, math.Round(f*1e9)/1e9)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no value that can be read", name)
	}
	return out, nil
}

// evaluate is enough of constant arithmetic for limits: numbers, durations, names
// of the same package, conversions.
func evaluate(e ast.Expr, consts map[string]ast.Expr) constant.Value {
	switch e := e.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(e.Value, e.Kind, 0)
	case *ast.ParenExpr:
		return evaluate(e.X, consts)
	case *ast.CallExpr:
		if len(e.Args) == 1 {
			return evaluate(e.Args[0], consts)
		}
	case *ast.Ident:
		if v, ok := consts[e.Name]; ok && v != e {
			return evaluate(v, consts)
		}
	case *ast.SelectorExpr:
		for name, d := range map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour} {
			if id, ok := e.X.(*ast.Ident); ok && id.Name == "time" && e.Sel.Name == name {
				return constant.MakeInt64(int64(d))
			}
		}
	case *ast.BinaryExpr:
		x, y := evaluate(e.X, consts), evaluate(e.Y, consts)
		if x.Kind() == constant.Unknown || y.Kind() == constant.Unknown {
			break
		}
		if e.Op == token.SHL {
			n, _ := constant.Uint64Val(y)
			return constant.Shift(x, e.Op, uint(n))
		}
		return constant.BinaryOp(x, e.Op, y)
	}
	return constant.MakeUnknown()
}
