package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/feira-dev/feira/events"
)

// A quoted text stands in a prompt as
//
//	<untrusted:0f3a… from="asaas__get_payment">
//	the text
//	</untrusted:0f3a…>
//
// The mark is a hash of where the text stands and of the text itself, so that
// the same log makes the same prompt, and nobody can write a text that holds
// its own mark. Nor can a text hold anybody else's: whatever looks like the
// beginning or the end of a quotation is broken in it.

// markBytes is how much of the hash a mark shows.
const markBytes = 8

var (
	// fence is what begins and ends a quotation, as a model would take it for one.
	fence = regexp.MustCompile(`(?i)<(\s*/?\s*untrusted)`)
	// quotation is a whole one. That both marks are one is not for it to say.
	quotation  = regexp.MustCompile(`(?s)^<untrusted:([0-9a-f]{16}) from="[A-Za-z0-9_./ -]*">\n(.*)\n</untrusted:([0-9a-f]{16})>$`)
	unlabelled = regexp.MustCompile(`[^A-Za-z0-9_./ -]+`)
)

// Origin is where a text from outside came from, and where in a session it stands.
type Origin struct {
	Tenant  events.TenantID
	Session events.SessionID
	Request events.RequestID
	// Place tells the texts of one request apart: a call, a webhook.
	Place string
	// From says to the model who speaks.
	From string
}

// Untrusted quotes a text from outside, so that a model can tell it from orders.
func Untrusted(origin Origin, text string) string {
	// In a JSON document "<" stands in strings alone, where this is the same letter.
	text = fence.ReplaceAllString(text, `\u003c${1}`)
	mark := origin.mark(text)
	from := clip(unlabelled.ReplaceAllString(origin.From, " "))
	return "<untrusted:" + mark + ` from="` + strings.TrimSuffix(from, "…") + "\">\n" + text + "\n</untrusted:" + mark + ">"
}

// Quoted reads what [Untrusted] wrote: the text, as far as it was left as it
// was. It is false for anything else.
func Quoted(text string) (string, bool) {
	found := quotation.FindStringSubmatch(text)
	if found == nil || found[1] != found[3] || fence.MatchString(found[2]) {
		return "", false
	}
	return found[2], true
}

func (o Origin) mark(text string) string {
	hash := sha256.New()
	for _, part := range []string{"feira/untrusted/v1", string(o.Tenant), string(o.Session), string(o.Request), o.Place, o.From, text} {
		_, _ = io.WriteString(hash, strconv.Itoa(len(part))+":"+part) // a hash takes every write
	}
	return hex.EncodeToString(hash.Sum(nil)[:markBytes])
}
