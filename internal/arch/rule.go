package arch

import (
	"cmp"
	"fmt"
	"slices"
)

// Fault is a place where the tree breaks a rule.
type Fault struct {
	Rule string
	Path string
	Line int
	Text string
}

// String renders the fault as a compiler would, so that editors find the place.
func (f Fault) String() string { return fmt.Sprintf("%s:%d: %s (%s)", f.Path, f.Line, f.Text, f.Rule) }

// Rule is one thing that the tree must hold to.
type Rule struct {
	// Name is what a fault is reported under.
	Name string
	// Why says what goes wrong without the rule.
	Why   string
	check func(tree *Tree, report reportFunc)
}

type reportFunc func(file *File, line int, format string, args ...any)

// Rules lists every rule, those of imports first.
func Rules() []Rule {
	return slices.Concat(importRules(), sourceRules())
}

// Check returns every fault of the tree, in order of path and line.
func Check(tree *Tree, rules []Rule) []Fault {
	var faults []Fault
	for _, rule := range rules {
		rule.check(tree, func(file *File, line int, format string, args ...any) {
			faults = append(faults, Fault{Rule: rule.Name, Path: file.Path, Line: line, Text: fmt.Sprintf(format, args...)})
		})
	}
	slices.SortFunc(faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Text, b.Text))
	})
	return faults
}
