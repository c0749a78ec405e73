package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
)

// separator joins server and tool in the name that a model sees.
const separator = "__"

// OwnServer is where the tools are that Feira has itself, whose names are the
// whole of what a model sees: "codespar_charge".
const (
	OwnServer = "codespar"
	ownPrefix = OwnServer + "_"
)

// ToolName is the name under which a tool is offered to a model.
func ToolName(server, tool string) string {
	if server == OwnServer {
		return tool
	}
	return server + separator + tool
}

// SplitTool reads a tool's name, "server__tool" or "server/tool", at the first
// separator, or one of Feira's own, which has none; false when it is neither.
func SplitTool(name string) (server, tool string, ok bool) {
	if strings.HasPrefix(name, ownPrefix) && !strings.Contains(name, separator) && !strings.Contains(name, "/") {
		return OwnServer, name, len(name) > len(ownPrefix)
	}
	at, width := strings.Index(name, separator), len(separator)
	if slash := strings.IndexByte(name, '/'); slash >= 0 && (at < 0 || slash < at) {
		at, width = slash, 1
	}
	if at < 1 || at+width == len(name) {
		return "", "", false
	}
	return name[:at], name[at+width:], true
}

var errNoObject = errors.New("arguments are no JSON object")

// canonical brings the JSON of an object into one form: keys sorted, no
// spaces, numbers as written.
func canonical(arguments string) (json.RawMessage, error) {
	if strings.TrimSpace(arguments) == "" {
		return json.RawMessage("{}"), nil
	}
	decoder := json.NewDecoder(strings.NewReader(arguments))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		if _, other := errors.AsType[*json.UnmarshalTypeError](err); other {
			return nil, errNoObject // JSON, in Go's own words
		}
		return nil, fmt.Errorf("%w: %w", errNoObject, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) || object == nil {
		return nil, errNoObject
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoObject, err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// CallKey is the idempotency key of an intent, as a worker sends it; an error
// where the arguments are none, so that nothing is sent.
func CallKey(tenant events.TenantID, id session.ID, request events.RequestID, intent session.Intent) (string, error) {
	arguments, err := canonical(intent.Call.Arguments)
	if err != nil {
		return "", err
	}
	return callKey(tenant, id, request, intent, arguments), nil
}

// callKey is the idempotency key of one tool call: a hash of where it stands
// and what it says, so that every try of it, by any worker, has the same, and
// no two calls share one.
func callKey(tenant events.TenantID, id session.ID, request events.RequestID, intent session.Intent, arguments []byte) string {
	hash := sha256.New()
	for _, part := range []string{
		"feira/call/v1", string(tenant), string(id), string(request),
		strconv.Itoa(intent.Iteration), strconv.Itoa(intent.Index), intent.Call.Name, string(arguments),
	} {
		_, _ = io.WriteString(hash, strconv.Itoa(len(part))+":"+part) // a hash takes every write
	}
	return "feira_" + hex.EncodeToString(hash.Sum(nil)[:20])
}
