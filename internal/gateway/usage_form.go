package gateway

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/usage"
)

// UsageGroup is how many calls share what they are grouped by.
type UsageGroup struct {
	By         map[string]string `json:"by"`
	Calls      int64             `json:"calls"`
	Billable   int64             `json:"billable"`
	DurationMS int64             `json:"duration_ms"`
}

// maxGroups bounds by how many things calls are grouped.
const maxGroups = 3

// grouping reads group_by.
func grouping(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	by := strings.Split(text, ",")
	for n, one := range by {
		if !usage.CanGroupBy(one) || slices.Contains(by[:n], one) || n >= maxGroups {
			return nil, problem(http.StatusBadRequest, CodeInvalidRequest,
				"want at most %d of tenant, server, tool, day and metadata.KEY, each once", maxGroups).at("group_by")
		}
	}
	return by, nil
}

func usageGroups(sums []usage.CallSum) []UsageGroup {
	groups := make([]UsageGroup, len(sums))
	for n, sum := range sums {
		groups[n] = UsageGroup{By: sum.By, Calls: sum.Calls, Billable: sum.Billable, DurationMS: sum.Duration.Milliseconds()}
	}
	return groups
}

// csv is the page as lines of CSV: its groups where there are any, else its
// calls. Texts that strangers chose are no formulas.
func (p UsagePage) csv() ([]byte, error) {
	var out bytes.Buffer
	writer := csv.NewWriter(&out)
	lines := p.callLines
	if p.Groups != nil {
		lines = p.groupLines
	}
	for _, line := range lines() {
		for n := range line {
			if line[n] != "" && strings.ContainsRune("=+-@\t\r", rune(line[n][0])) {
				line[n] = "'" + line[n]
			}
		}
		if err := writer.Write(line); err != nil {
			return nil, err
		}
	}
	writer.Flush()
	return out.Bytes(), writer.Error()
}

func (p UsagePage) callLines() [][]string {
	lines := [][]string{{"id", "session_id", "server_id", "tool_name", "status", "outcome", "billable", "duration_ms", "called_at", "metadata"}}
	for _, call := range p.ToolCalls {
		metadata, err := json.Marshal(call.Metadata)
		if err != nil {
			continue // a map of texts always marshals
		}
		lines = append(lines, []string{
			call.ID, call.SessionID, call.ServerID, call.ToolName, call.Status, string(call.Outcome), strconv.FormatBool(call.Billable),
			strconv.FormatInt(call.DurationMS, 10), time.Time(call.CalledAt).UTC().Format(time.RFC3339Nano), string(metadata),
		})
	}
	return lines
}

func (p UsagePage) groupLines() [][]string {
	var names []string
	if len(p.Groups) > 0 {
		names = slices.Sorted(maps.Keys(p.Groups[0].By))
	}
	lines := [][]string{append(slices.Clone(names), "calls", "billable", "duration_ms")}
	for _, group := range p.Groups {
		var line []string
		for _, name := range names {
			line = append(line, group.By[name])
		}
		lines = append(lines, append(line, strconv.FormatInt(group.Calls, 10), strconv.FormatInt(group.Billable, 10), strconv.FormatInt(group.DurationMS, 10)))
	}
	return lines
}
