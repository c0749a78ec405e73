package tenant

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/feira-dev/feira/events"
)

// Bounds of an attachment.
const (
	MaxAttachments  = MaxServers
	maxURL          = 2048
	maxCommandWords = 32
	maxCommandWord  = 1024
)

// ownServer is the server that Feira's own tools are of; nothing is attached
// under its name.
const ownServer = "codespar"

var (
	attachmentID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	headerName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)
	// A variable that ends in one of these carries a secret and nothing that a
	// loader or an interpreter obeys, like LD_PRELOAD.
	variableName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,55}_(TOKEN|KEY|SECRET|PASSWORD)$`)
)

// Attachment is an MCP server that a tenant has as one more provider. Its tools
// are reached like any other's: by sessions that were opened with its id among
// their servers, with the credential that the vault holds under that id.
type Attachment struct {
	// ID is the server's name in tools: "crm" of "crm__find_contact". It is none
	// of the providers that Feira knows by itself.
	ID string `json:"id" yaml:"id"`
	// Live and Test are where the server is for sessions of an environment. One
	// that is empty has no such environment.
	Live Endpoint `json:"live,omitzero" yaml:"live,omitempty"`
	Test Endpoint `json:"test,omitzero" yaml:"test,omitempty"`
	// TrustAnnotations takes the server's word for which of its tools read only
	// and which may be repeated. Without it each call is taken to have another
	// effect each time, which the protocol asks for: the words are the server's.
	TrustAnnotations bool `json:"trust_annotations,omitempty" yaml:"trust_annotations,omitempty"`
	// RequireCredential refuses calls while the vault has no credential. Without
	// it they are made without one, as public servers want.
	RequireCredential bool `json:"require_credential,omitempty" yaml:"require_credential,omitempty"`
	// Header is the header that carries the credential as it is. Defaults to
	// "Authorization: Bearer" and the credential.
	Header string `json:"header,omitempty" yaml:"header,omitempty"`
	// Variable is the environment variable that carries the credential to a
	// command. Defaults to MCP_TOKEN.
	Variable string `json:"variable,omitempty" yaml:"variable,omitempty"`
}

// Endpoint is a URL of the streamable HTTP transport, or a command that speaks
// MCP over its standard input and output: one of the two.
type Endpoint struct {
	// URL is https; another is reached only where the operator allows its origin.
	URL string `json:"url,omitempty" yaml:"url,omitempty"`
	// Command is the executable and its arguments; it is started only where the
	// operator allows it.
	Command []string `json:"command,omitempty" yaml:"command,omitempty"`
}

// IsZero reports whether there is no such environment.
func (e Endpoint) IsZero() bool { return e.URL == "" && len(e.Command) == 0 }

// Endpoint is where the server is in an environment; false when it has none.
func (a Attachment) Endpoint(env events.Environment) (Endpoint, bool) {
	var found Endpoint
	switch env {
	case events.EnvironmentLive:
		found = a.Live
	case events.EnvironmentTest:
		found = a.Test
	}
	return found, !found.IsZero()
}

// Attachment is the attachment of an id; false when the tenant has none.
func (t Tenant) Attachment(id string) (Attachment, bool) {
	at := slices.IndexFunc(t.MCP, func(a Attachment) bool { return a.ID == id })
	if at < 0 {
		return Attachment{}, false
	}
	return t.MCP[at], true
}

// validateAttachments joins the faults of the attachments, each naming its field.
func (t Tenant) validateAttachments() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...))
	}
	if len(t.MCP) > MaxAttachments {
		fault("mcp has %d entries, at most %d are allowed", len(t.MCP), MaxAttachments)
	}
	for i, attached := range t.MCP {
		switch {
		case !attachmentID.MatchString(attached.ID):
			fault("mcp[%d].id has to match %s", i, attachmentID)
		case attached.ID == ownServer:
			fault("mcp[%d].id: %q is Feira's own", i, attached.ID)
		case slices.ContainsFunc(t.MCP[:i], func(other Attachment) bool { return other.ID == attached.ID }):
			fault("mcp[%d].id: %q is there twice", i, attached.ID)
		case !slices.Contains(t.Servers, attached.ID):
			fault("mcp[%d].id: %q is not among servers, so that no session would reach it", i, attached.ID)
		}
		if attached.Live.IsZero() && attached.Test.IsZero() {
			fault("mcp[%d] has neither live nor test", i)
		}
		if err := attached.Live.validate(); err != nil {
			fault("mcp[%d].live%w", i, err)
		}
		if err := attached.Test.validate(); err != nil {
			fault("mcp[%d].test%w", i, err)
		}
		if attached.Header != "" && !mayCarry(attached.Header) {
			fault("mcp[%d].header is none that may carry a credential", i)
		}
		if attached.Variable != "" && !variableName.MatchString(attached.Variable) {
			fault("mcp[%d].variable has to match %s", i, variableName)
		}
	}
	return errors.Join(faults...)
}

// mayCarry reports whether a header may carry a credential: not one by which
// HTTP and MCP themselves are spoken.
func mayCarry(header string) bool {
	header = strings.ToLower(header)
	return headerName.MatchString(header) && !strings.HasPrefix(header, "mcp-") && !strings.HasPrefix(header, "content-") && !strings.HasPrefix(header, "proxy-") &&
		!slices.Contains([]string{
			"host", "accept", "accept-encoding", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "last-event-id", "expect",
		}, header)
}

// validate returns the fault with the rest of its field's name before it. It
// quotes no URL and no command: there may be a secret in them.
func (e Endpoint) validate() error {
	if e.IsZero() {
		return nil
	}
	if e.URL != "" && len(e.Command) > 0 {
		return errors.New(" has both url and command")
	}
	if e.URL != "" {
		return e.validateURL()
	}
	if len(e.Command) > maxCommandWords {
		return fmt.Errorf(".command has %d words, at most %d are allowed", len(e.Command), maxCommandWords)
	}
	if !strings.HasPrefix(e.Command[0], "/") {
		return errors.New(".command[0] has to be the whole path of an executable")
	}
	for i, word := range e.Command {
		if len(word) > maxCommandWord || !utf8.ValidString(word) || strings.ContainsRune(word, 0) {
			return fmt.Errorf(".command[%d] has over %d bytes or is no text", i, maxCommandWord)
		}
	}
	return nil
}

func (e Endpoint) validateURL() error {
	parsed, err := url.Parse(e.URL)
	switch {
	case err != nil || len(e.URL) > maxURL:
		return fmt.Errorf(".url is no URL of at most %d bytes", maxURL)
	case parsed.Scheme != "https" && parsed.Scheme != "http", parsed.Hostname() == "":
		return errors.New(".url has to begin with https:// and a host")
	case parsed.User != nil, parsed.Fragment != "":
		return errors.New(".url may have no user or fragment; credentials go into the vault")
	default:
		return nil
	}
}

func cloneAttachments(attached []Attachment) []Attachment {
	copied := slices.Clone(attached)
	for i := range copied {
		copied[i].Live.Command = slices.Clone(copied[i].Live.Command)
		copied[i].Test.Command = slices.Clone(copied[i].Test.Command)
	}
	return copied
}
