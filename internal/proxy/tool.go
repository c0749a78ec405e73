package proxy

import (
	"slices"
	"strings"
)

const prefix = "proxy_"

// Methods are those that a raw call may have.
func Methods() []string {
	return []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
}

// ToolOf is the tool of raw calls with a method; empty for another method.
func ToolOf(method string) string {
	if !slices.Contains(Methods(), method) {
		return ""
	}
	return prefix + strings.ToLower(method)
}
