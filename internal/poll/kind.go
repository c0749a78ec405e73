package poll

import (
	"encoding/json"
	"time"
)

// Kind is a sort of object that is polled.
type Kind string

// Kinds.
const (
	KindParcel Kind = "parcel"
	KindNFe    Kind = "nfe"
	KindNFSe   Kind = "nfse"
	KindCTe    Kind = "cte"
	KindMDFe   Kind = "mdfe"
)

// Servers that send no webhooks.
const (
	serverCorreios    = "correios"
	serverNuvemFiscal = "nuvem-fiscal"
)

// Plan is how objects of a kind are asked for.
type Plan struct {
	// Server and Tool ask for them.
	Server string
	Tool   string
	// Batch is how many are asked for in one request.
	Batch int
	// First is the pause after news, Longest the longest pause.
	First   time.Duration
	Longest time.Duration
	// Age is how long an object is watched at most.
	Age time.Duration
	// Pace is the least pause between two requests of one tenant's: what is left of
	// the provider's limit is the agents'.
	Pace time.Duration
}

// Plan is the kind's; false where there is no such kind.
func (k Kind) Plan() (Plan, bool) {
	document := Plan{
		Server: serverNuvemFiscal, Tool: "get_" + string(k), Batch: 1,
		First: 30 * time.Second, Longest: time.Hour, Age: 14 * 24 * time.Hour, Pace: 2 * time.Second,
	}
	switch k {
	case KindParcel:
		return Plan{
			Server: serverCorreios, Tool: "track_bulk", Batch: 50,
			First: 10 * time.Minute, Longest: 4 * time.Hour, Age: 60 * 24 * time.Hour, Pace: time.Second,
		}, true
	case KindNFe, KindNFSe, KindCTe, KindMDFe:
		return document, true
	}
	return Plan{}, false
}

// Arguments ask for objects by the plan's tool.
func (k Kind) Arguments(objects []string) (json.RawMessage, error) {
	if k == KindParcel {
		return json.Marshal(map[string]any{"codes": objects, "resultado": "T"})
	}
	return json.Marshal(map[string]any{"id": objects[0]})
}
