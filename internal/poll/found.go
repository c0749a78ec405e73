package poll

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// Found is an object that a call has made and that is to be watched.
type Found struct {
	Server string
	Kind   Kind
	Object string
}

var (
	parcelCode   = regexp.MustCompile(`^[A-Z]{2}[0-9]{9}[A-Z]{2}$`)
	documentCode = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// madeBy are the tools that make objects which are polled.
func madeBy(server, tool string) Kind {
	switch server + "/" + tool {
	case serverCorreios + "/create_prepost", serverCorreios + "/create_reverse", agent.OwnServer + "/codespar_ship":
		return KindParcel
	case serverNuvemFiscal + "/create_nfe":
		return KindNFe
	case serverNuvemFiscal + "/create_nfse":
		return KindNFSe
	case serverNuvemFiscal + "/create_cte":
		return KindCTe
	case serverNuvemFiscal + "/create_mdfe":
		return KindMDFe
	case agent.OwnServer + "/codespar_invoice":
		return KindNFe // or another, which the answer tells
	}
	return ""
}

// FoundIn is the object that a call made; false where it made none, a mock
// answered it, or the object has ended already.
func FoundIn(returned *events.ToolReturned) (Found, bool) {
	kind := madeBy(returned.Server, returned.Tool)
	if kind == "" || returned.Status != events.ToolOK || returned.Mock != nil {
		return Found{}, false
	}
	var answer struct {
		ID           string `json:"id"`
		Code         string `json:"codigoObjeto"`
		Status       string `json:"status"`
		Type         string `json:"type"`
		TrackingCode string `json:"tracking_code"`
		Carrier      string `json:"carrier"`
	}
	if json.Unmarshal([]byte(returned.Output), &answer) != nil {
		return Found{}, false
	}
	if kind == KindParcel {
		code := answer.Code
		if returned.Server == agent.OwnServer {
			// A carrier that sends webhooks has its parcels told by them, and a parcel
			// that was only asked for is another's.
			if code = answer.TrackingCode; answer.Carrier != "Correios" || answer.ID == "" || answer.ID == code {
				return Found{}, false
			}
		}
		return Found{serverCorreios, kind, code}, parcelCode.MatchString(code)
	}
	if returned.Server == agent.OwnServer {
		if kind = Kind(answer.Type); kind != KindNFe && kind != KindNFSe {
			return Found{}, false
		}
	}
	return Found{serverNuvemFiscal, kind, answer.ID}, documentCode.MatchString(answer.ID) && !settled(answer.Status)
}

// settled reports whether a document's status is its last one: in Nuvem
// Fiscal's words, or in those of Feira's own tool.
func settled(status string) bool {
	switch strings.ToLower(status) {
	case "", "pendente", "processando", "pending", "unknown":
		return false
	}
	return true
}
