package usage

import (
	"regexp"
	"strings"
	"time"
)

// What tool calls can be grouped by, beside [GroupMetadata] with a key.
const (
	GroupTenant = "tenant"
	GroupServer = "server"
	GroupTool   = "tool"
	GroupDay    = "day"
	// GroupMetadata is the prefix before a key of the metadata.
	GroupMetadata = "metadata."
)

var groupKey = regexp.MustCompile(`^[A-Za-z0-9_:-]{1,64}$`)

// CanGroupBy reports whether tool calls can be grouped by it.
func CanGroupBy(name string) bool {
	switch name {
	case GroupTenant, GroupServer, GroupTool, GroupDay:
		return true
	}
	key, metadata := strings.CutPrefix(name, GroupMetadata)
	return metadata && groupKey.MatchString(key)
}

// CallSum is how many calls share what they are grouped by.
type CallSum struct {
	// By holds a value for each name; a key that a call's metadata lacks is empty.
	By       map[string]string
	Calls    int64
	Billable int64
	Duration time.Duration
}

// MaxGroups is how many groups one question is answered with.
const MaxGroups = 10_000
