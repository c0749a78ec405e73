package poll

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
)

// ErrUnreadable occurs when an answer is not in the form of its provider's.
var ErrUnreadable = errors.New("the answer cannot be read")

// Read says what an answer tells of objects. An object that it says nothing of
// has no reading; one of which there is nothing to say yet has an empty one.
func Read(kind Kind, objects []string, answer []byte) (map[string]Reading, error) {
	if kind == KindParcel {
		return readParcels(objects, answer)
	}
	reading, err := readDocument(kind, answer)
	if err != nil {
		return nil, err
	}
	return map[string]Reading{objects[0]: reading}, nil
}

// scan is one event of a parcel, as Correios tells it.
type scan struct {
	Code string `json:"codigo"`
	Type string `json:"tipo"`
	At   string `json:"dtHrCriado"`
	Text string `json:"descricao"`
}

func readParcels(objects []string, answer []byte) (map[string]Reading, error) {
	var told struct {
		Objects []struct {
			Code  string            `json:"codObjeto"`
			Scans []json.RawMessage `json:"eventos"`
		} `json:"objetos"`
	}
	if json.Unmarshal(answer, &told) != nil || told.Objects == nil {
		return nil, ErrUnreadable
	}
	readings := make(map[string]Reading, len(objects))
	for _, one := range told.Objects {
		if !slices.Contains(objects, one.Code) {
			continue
		}
		readings[one.Code] = readScans(one.Scans)
	}
	return readings, nil
}

// readScans reads a parcel's history, which comes with the newest first.
func readScans(scans []json.RawMessage) Reading {
	var reading Reading
	for _, raw := range slices.Backward(scans) {
		var one scan
		if json.Unmarshal(raw, &one) != nil || one.Code == "" {
			continue
		}
		fact, last := one.fact()
		status := one.Code
		if one.Type != "" {
			status += "-" + one.Type
		}
		reading.Ended = reading.Ended || last
		reading.News = append(reading.News, News{
			Kind: "tracking." + one.Code, Fact: fact, Status: status, OccurredAt: moment(one.At), stamp: one.At, detail: raw,
		})
	}
	slices.SortStableFunc(reading.News, func(a, b News) int { return a.OccurredAt.Compare(b.OccurredAt) })
	return reading
}

// fact words a scan, and says whether it is a parcel's last. Which numbers an
// attempt to deliver has is not documented in the open: those that are widely
// known are read, and the words where they say it.
func (s scan) fact() (fact events.Fact, last bool) {
	switch s.Code {
	case "PO", "CO":
		return events.FactShipmentPosted, false
	case "RO", "DO", "OEC", "LDI", "TRI", "PMT":
		return events.FactShipmentInTransit, false
	case "BDE", "BDI", "BDR":
		switch {
		case strings.Contains(s.Text, "ao remetente"), slices.Contains([]string{"23", "09", "12", "28", "37", "43", "50", "51", "52"}, s.Type):
			return events.FactShipmentFailed, true // returned, lost or robbed
		case strings.HasPrefix(s.Text, "Objeto entregue"), slices.Contains([]string{"01", "1", "67", "68", "70"}, s.Type):
			return events.FactShipmentDelivered, true
		}
	}
	return events.FactShipmentUpdated, false
}

func readDocument(kind Kind, answer []byte) (Reading, error) {
	var told struct {
		Status        string `json:"status"`
		Authorization struct {
			Received string `json:"data_recebimento"`
			At       string `json:"data_evento"`
		} `json:"autorizacao"`
	}
	if json.Unmarshal(answer, &told) != nil || told.Status == "" {
		return Reading{}, ErrUnreadable
	}
	if !settled(told.Status) {
		return Reading{}, nil
	}
	at := moment(told.Authorization.Received)
	if at.IsZero() {
		at = moment(told.Authorization.At)
	}
	// The status alone is the news: a provider that words its times anew has not
	// told anything new.
	one := News{Kind: string(kind) + "." + told.Status, Status: told.Status, OccurredAt: at, detail: answer}
	switch told.Status {
	case "autorizado", "autorizada":
		one.Fact = events.FactInvoiceAuthorized
	case "rejeitado", "rejeitada", "negada", "negado", "denegado", "denegada", "erro":
		one.Fact = events.FactInvoiceRejected
	}
	return Reading{News: []News{one}, Ended: true}, nil
}

// moment reads a time; one without a zone is Brasília's, which has had no summer
// time since 2019.
func moment(text string) time.Time {
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.UTC()
	}
	if at, err := time.ParseInLocation("2006-01-02T15:04:05", text, time.FixedZone("-03", -3*60*60)); err == nil {
		return at.UTC()
	}
	return time.Time{}
}
