package arch

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MaxLines is the longest that a Go file may be.
const MaxLines = 600

func sourceRules() []Rule {
	return []Rule{
		{
			Name: "length", Why: "every project that we learnt from is hurt by one file of thousands of lines",
			check: checkLength,
		},
		{
			Name: "name", Why: "a package named for nothing takes in everything",
			check: checkName,
		},
		{
			Name: "wire", Why: "a subject, bucket or header spelled in two places is two contracts",
			check: checkWire,
		},
		{
			Name: "money", Why: "a binary fraction cannot hold a tenth of a real",
			check: checkMoney,
		},
		{
			Name: "float", Why: "a sum of a million floats is not the sum of its rows",
			check: checkFloat,
		},
		{
			Name: "sleep", Why: "a test that sleeps is slow when all is well and red when the machine is busy",
			check: checkSleep,
		},
		{
			Name: "clock", Why: "a domain that reads the clock cannot be tested at the moment that matters",
			check: checkClock,
		},
	}
}

func checkLength(tree *Tree, report reportFunc) {
	for _, file := range tree.Files {
		if file.Lines > MaxLines {
			report(file, MaxLines+1, "%d lines, at most %d are allowed; split it by noun", file.Lines, MaxLines)
		}
	}
}

func checkName(tree *Tree, report reportFunc) {
	forbidden := []string{"pkg", "util", "utils", "common", "helper", "helpers", "models", "misc"}
	for _, file := range tree.Files {
		names := append(strings.Split(file.Dir, "/"), strings.TrimSuffix(file.Package, "_test"))
		for _, name := range names {
			if slices.Contains(forbidden, name) {
				report(file, 1, "package name %q says nothing", name)
				break
			}
		}
		if strings.Contains(strings.TrimSuffix(file.Package, "_test"), "_") {
			report(file, 1, "package name %q has an underscore", file.Package)
		}
	}
}

// checkWire finds the words of the wire outside of package events. Tests may
// spell them: a wrong word there fails by itself, and some tests stand in for
// producers in other languages. The patterns are spelled so that they do not
// find themselves.
func checkWire(tree *Tree, report reportFunc) {
	wire := regexp.MustCompile(`^feira[.](requests|runs|sessions|usage|webhooks|dead|feed|done|workers|control)[.]` +
		`|^feira[_](tenants|keys|vault|leases|spend)$` +
		`|^(Ce|Feira)[-][A-Z][A-Za-z-]+$`)
	eventType := regexp.MustCompile(`^feira[.][a-z]+[.][a-z]+[.]v[0-9]+$`)
	for _, file := range tree.Files {
		if own, _ := component(file.Dir); own == "events" || file.Test() || testOnly(file.Dir) {
			continue
		}
		ast.Inspect(file.Syntax, func(node ast.Node) bool {
			literal, ok := node.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err == nil && (wire.MatchString(text) || eventType.MatchString(text)) {
				report(file, tree.line(literal.Pos()), "%q is spelled here; only package events spells what is on the wire", text)
			}
			return true
		})
	}
}

// moneyWords are the words in whose company no float may stand.
func moneyWords() []string {
	return []string{
		"amount", "balance", "budget", "cent", "cents", "charge", "cost", "costs", "fee", "fees",
		"invoice", "money", "price", "prices", "spend", "spent", "subtotal",
	}
}

// words splits a Go name: unitPriceBRL is unit, price, brl.
func words(name string) []string {
	parts := regexp.MustCompile(`[A-Z]+[a-z]*|[a-z]+`).FindAllString(name, -1)
	for i := range parts {
		parts[i] = strings.ToLower(parts[i])
	}
	return parts
}

func ofMoney(name string) bool {
	return slices.ContainsFunc(words(name), func(word string) bool { return slices.Contains(moneyWords(), word) })
}

// checkMoney finds declarations whose name, or that of the function or type
// around them, speaks of money and whose type is a float.
func checkMoney(tree *Tree, report reportFunc) {
	for _, file := range tree.Files {
		check := func(names []*ast.Ident, value ast.Node) {
			for _, name := range names {
				if ofMoney(name.Name) && mentionsFloat(value) {
					report(file, tree.line(name.Pos()), "%s is a float; money is apd.Decimal or whole minor units", name.Name)
				}
			}
		}
		ast.Inspect(file.Syntax, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.Field:
				check(node.Names, node.Type)
			case *ast.TypeSpec:
				if _, isStruct := node.Type.(*ast.StructType); !isStruct {
					check([]*ast.Ident{node.Name}, node.Type)
				}
			case *ast.ValueSpec:
				check(node.Names, node)
			case *ast.FuncDecl:
				if node.Type.Results != nil {
					check([]*ast.Ident{node.Name}, node.Type.Results)
				}
			case *ast.AssignStmt:
				for i, left := range node.Lhs {
					if name, ok := left.(*ast.Ident); ok && node.Tok == token.DEFINE {
						check([]*ast.Ident{name}, node.Rhs[min(i, len(node.Rhs)-1)])
					}
				}
			}
			return true
		})
	}
}

// mentionsFloat reports whether a type or value is of floats, as far as its
// own text tells.
func mentionsFloat(node ast.Node) bool {
	found := false
	ast.Inspect(node, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.Ident:
			found = found || node.Name == "float64" || node.Name == "float32" || node.Name == "ParseFloat"
		case *ast.BasicLit:
			found = found || node.Kind == token.FLOAT
		case *ast.FuncLit:
			return false
		}
		return true
	})
	return found
}

func checkSleep(tree *Tree, report reportFunc) {
	for _, file := range tree.Files {
		if file.Test() || testOnly(file.Dir) {
			calls(file, "time", func(name string, node ast.Node) {
				if name == "Sleep" {
					report(file, tree.line(node.Pos()), "time.Sleep in a test; wait for a signal, or use testing/synctest")
				}
			})
		}
	}
}

// checkClock leaves internal/agent out: its loop runs real work with deadlines,
// and takes its clock by Config.
func checkClock(tree *Tree, report reportFunc) {
	clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Sleep"}
	for _, file := range tree.Files {
		own, layer := component(file.Dir)
		if file.Test() || suite(file.Dir) || layer == LayerNone || layer > LayerDomain || own == "internal/agent" {
			continue
		}
		calls(file, "time", func(name string, node ast.Node) {
			if slices.Contains(clock, name) {
				report(file, tree.line(node.Pos()), "time.%s in the domain; time comes in as an argument", name)
			}
		})
	}
}

// calls hands every use of a name of a package of the standard library to use.
func calls(file *File, library string, use func(name string, node ast.Node)) {
	local := ""
	for _, spec := range file.Syntax.Imports {
		if spec.Path.Value == strconv.Quote(library) {
			local = path.Base(library)
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	if local == "" {
		return
	}
	ast.Inspect(file.Syntax, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			if name, ok := selector.X.(*ast.Ident); ok && name.Name == local {
				use(selector.Sel.Name, selector)
			}
		}
		return true
	})
}
