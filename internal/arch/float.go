package arch

import (
	"go/ast"
	"go/token"
	"slices"
)

// exactPlaces are where quantities and money are counted. Nothing in them is a
// float, whatever it is named.
func exactPlaces() []string {
	return []string{"internal/usage", "internal/money", "internal/rating", "internal/invoice", "internal/ledger", "workers/metering"}
}

func checkFloat(tree *Tree, report reportFunc) {
	for _, file := range tree.Files {
		place, _ := component(file.Dir)
		if file.Test() || !slices.Contains(exactPlaces(), place) {
			continue
		}
		ast.Inspect(file.Syntax, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.Ident:
				if slices.Contains([]string{"float64", "float32", "ParseFloat", "Float64", "SetFloat64"}, node.Name) {
					report(file, tree.line(node.Pos()), "%s in a place that counts exactly", node.Name)
				}
			case *ast.BasicLit:
				if node.Kind == token.FLOAT {
					report(file, tree.line(node.Pos()), "%s in a place that counts exactly", node.Value)
				}
			}
			return true
		})
	}
}
