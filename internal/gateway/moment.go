package gateway

import (
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// momentLayout is ISO 8601 as JavaScript's Date writes it: in UTC, with
// milliseconds, always as long, so that texts sort as times do.
const momentLayout = "2006-01-02T15:04:05.000Z"

// Moment is a time as clients read it.
type Moment time.Time

// momentOf is a time that is always there.
func momentOf(at time.Time) Moment { return Moment(at) }

// moment is null for what has not happened.
func moment(at time.Time) *Moment {
	if at.IsZero() {
		return nil
	}
	made := Moment(at)
	return &made
}

// MarshalJSON implements [encoding/json.Marshaler].
func (m Moment) MarshalJSON() ([]byte, error) {
	return time.Time(m).UTC().AppendFormat(nil, `"`+momentLayout+`"`), nil
}

// Schema implements [huma.SchemaProvider].
func (Moment) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Description: "UTC, with milliseconds."}
}
