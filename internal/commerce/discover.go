package commerce

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/feira-dev/feira/internal/agent"
)

// Bounds of a search.
const (
	discoverDefault = 5
	// leastSimilar is below what a tool is no match, as pg_trgm's own threshold.
	leastSimilar = 0.3
	// maxPitfall is how much of one pitfall is told, in bytes.
	maxPitfall = 300
)

const discoverAbout = "Search for a tool by what is to be done, among the tools of this session and of servers that could be connected. Answers with the best match and related ones, and says how to go on."

const discoverSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["use_case"],
  "properties": {
    "use_case": {"type": "string", "minLength": 1, "maxLength": 500, "description": "In a few words, best in English: refund a pix payment"},
    "category": {"type": "string", "maxLength": 40, "description": "payments, shipping, fiscal or messaging"},
    "country": {"type": "string", "pattern": "^[A-Za-z]{2}$", "description": "As BR"},
    "limit": {"type": "integer", "minimum": 1, "maximum": 20, "description": "5 unless told otherwise"}
  }
}`

// Strategies of a search.
const (
	strategyTrigram = "trigram"
	strategyEmpty   = "empty"
)

// Statuses of a connection.
const (
	connected    = "connected"
	disconnected = "disconnected"
	notRequired  = "not_required"
)

type discovering struct {
	UseCase  string `json:"use_case"`
	Category string `json:"category"`
	Country  string `json:"country"`
	Limit    int    `json:"limit"`
}

type discovered struct {
	UseCase     string   `json:"use_case"`
	Strategy    string   `json:"search_strategy"`
	Recommended *match   `json:"recommended"`
	Related     []match  `json:"related"`
	NextSteps   []string `json:"next_steps"`
}

// match is a tool that may do what is asked for. ToolName is the name to call
// it by.
type match struct {
	ServerID          string     `json:"server_id"`
	ToolName          string     `json:"tool_name"`
	Description       string     `json:"description"`
	HTTPMethod        string     `json:"http_method"`
	EndpointTemplate  string     `json:"endpoint_template"`
	CosineDistance    *float64   `json:"cosine_distance"`
	TrigramSimilarity *float64   `json:"trigram_similarity"`
	ConnectionStatus  string     `json:"connection_status"`
	KnownPitfalls     []string   `json:"known_pitfalls"`
	RecommendedPlan   []planStep `json:"recommended_plan"`
}

type planStep struct {
	Step        int    `json:"step"`
	Description string `json:"description,omitempty"`
	Prereq      string `json:"prereq,omitempty"`
	Action      string `json:"action,omitempty"`
}

// candidate is a tool that a search looks at.
type candidate struct {
	server  string
	name    string // as it is called
	listing Listing
	within  bool // the session's reach
}

func (m *Market) discover(ctx context.Context, r *run) (string, error) {
	in := discovering{Limit: discoverDefault}
	if err := read(r.call.Arguments, &in); err != nil {
		return "", err
	}
	status, err := m.statuses(ctx, r)
	if err != nil {
		return "", r.failedToTell()
	}
	found := discovered{UseCase: in.UseCase, Strategy: strategyEmpty, Related: []match{}, NextSteps: []string{}}
	for _, one := range m.search(ctx, r, in) {
		one.ConnectionStatus = status(one.ServerID)
		one.RecommendedPlan = plan(one, r.call.Reach)
		if found.Recommended == nil {
			found.Recommended, found.Strategy = &one, strategyTrigram
			continue
		}
		found.Related = append(found.Related, one)
	}
	found.NextSteps = nextSteps(found.Recommended, r.call.Reach)
	for {
		text, err := bounded(found)
		if err == nil || len(found.Related) == 0 {
			return text, err
		}
		found.Related = found.Related[:len(found.Related)/2]
	}
}

// search ranks the candidates: the more alike first, then those within reach,
// then those that say less else, then by name.
func (m *Market) search(ctx context.Context, r *run, in discovering) []match {
	query := trigrams(translated(in.UseCase))
	type ranked struct {
		match
		within bool
		narrow float64
	}
	var found []ranked
	for _, one := range m.candidates(ctx, r.call.Reach) {
		if about, _ := m.known(one.server, r.call.Reach); !in.wants(about) {
			continue
		}
		about := trigrams(one.server + " " + one.listing.Name + " " + one.listing.Description)
		alike := similarity(query, about)
		if alike < leastSimilar {
			continue
		}
		alike = math.Round(alike*1000) / 1000
		found = append(found, ranked{within: one.within, narrow: narrowness(query, about), match: match{
			ServerID: one.server, ToolName: one.name, Description: brief(one.listing.Description), HTTPMethod: one.listing.Method,
			EndpointTemplate: one.listing.Path, TrigramSimilarity: &alike, KnownPitfalls: pitfalls(one.listing),
		}})
	}
	slices.SortStableFunc(found, func(a, b ranked) int {
		far := func(within bool) int {
			if within {
				return 0
			}
			return 1
		}
		return cmp.Or(
			cmp.Compare(*b.TrigramSimilarity, *a.TrigramSimilarity), cmp.Compare(far(a.within), far(b.within)),
			cmp.Compare(b.narrow, a.narrow), strings.Compare(a.ToolName, b.ToolName),
		)
	})
	matches := make([]match, 0, in.Limit)
	for _, one := range found[:min(in.Limit, len(found))] {
		matches = append(matches, one.match)
	}
	return matches
}

func (in discovering) wants(server Server) bool {
	abroad := in.Country != "" && server.Country != "" && !strings.EqualFold(in.Country, server.Country)
	return !abroad && (in.Category == "" || strings.EqualFold(in.Category, server.Category))
}

// candidates are the tools of the session, with what the directory knows of
// them, and those of servers beyond it.
func (m *Market) candidates(ctx context.Context, reach agent.Reach) []candidate {
	known := map[string]Listing{}
	var beyond []candidate
	for _, server := range m.directory() {
		for _, tool := range server.Tools {
			name := agent.ToolName(server.ID, tool.Name)
			known[name] = tool
			if !reach.Has(server.ID) {
				beyond = append(beyond, candidate{server: server.ID, name: name, listing: tool})
			}
		}
	}
	var all []candidate
	for _, tool := range m.Tools(ctx, reach) {
		server, name, ok := agent.SplitTool(tool.Name)
		if !ok {
			continue
		}
		about, found := known[tool.Name]
		if !found {
			about = Listing{Name: name, Description: tool.Description}
		}
		all = append(all, candidate{server: server, name: tool.Name, listing: about, within: true})
	}
	return append(all, beyond...)
}

func (m *Market) directory() []Server {
	if m.cfg.Directory == nil {
		return nil
	}
	return m.cfg.Directory.Servers()
}

func pitfalls(about Listing) []string {
	found := []string{}
	switch about.Stakes {
	case "money":
		found = append(found, "It moves money, or commits to pay it.")
	case "irreversible":
		found = append(found, "It cannot be taken back.")
	}
	if about.Safety == agent.SafetyUnsafe {
		found = append(found, "Made twice, it has its effect twice: do not repeat it when its outcome is unknown.")
	}
	if about.Doubt != "" {
		found = append(found, clip(strings.Join(strings.Fields(about.Doubt), " "), maxPitfall))
	}
	return found
}

// plan is how to get from here to the call.
func plan(one match, reach agent.Reach) []planStep {
	var steps []planStep
	add := func(step planStep) {
		step.Step = len(steps) + 1
		steps = append(steps, step)
	}
	if one.ConnectionStatus == disconnected {
		add(planStep{Description: "Connect " + one.ServerID + ".", Action: toolConnections})
	}
	if !reach.Has(one.ServerID) {
		add(planStep{Description: "Open a session that has " + one.ServerID + ": the servers of this one are fixed.", Prereq: one.ServerID + " is a server of the tenant"})
	}
	add(planStep{Description: "Call the tool.", Action: one.ToolName})
	return steps
}

func nextSteps(recommended *match, reach agent.Reach) []string {
	if recommended == nil {
		return []string{"Nothing is alike. Ask in other words, or list this session's tools with " + toolListTools + "."}
	}
	steps := make([]string, 0, len(recommended.RecommendedPlan))
	for _, one := range plan(*recommended, reach) {
		text := one.Description
		if one.Action != "" {
			text = strings.TrimSuffix(text, ".") + ": " + one.Action
		}
		steps = append(steps, text)
	}
	return steps
}
