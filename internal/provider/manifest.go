package provider

import (
	"encoding/json"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// Manifest is all that is particular to one server. Texts in braces are
// replaced: "{name}" in a tool by the argument of that name, in auth by the
// credential's field.
type Manifest struct {
	// ID names the server in tool names and in the vault.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Category is what the provider is for: payments, shipping, fiscal, messaging.
	Category string `json:"category"`
	// Country is where it is used, in ISO 3166's two letters.
	Country string `json:"country"`
	// Docs is where the provider documents its API.
	Docs string `json:"docs"`
	// Corrects says, for people, where the manifest goes another way than public
	// connectors in what all tools share, and by whose word.
	Corrects []string `json:"corrects,omitempty"`
	// BaseURLs are the hosts with the part of the path that all tools share. An
	// environment without one is refused.
	BaseURLs   map[events.Environment]string `json:"base_urls"`
	Credential CredentialSpec                `json:"credential"`
	Auth       Auth                          `json:"auth"`
	// Headers go with every call.
	Headers map[string]string `json:"headers,omitempty"`
	// Body is how bodies are written, and nested query parameters with them.
	Body Encoding `json:"body"`
	// Values are constants that depend on the environment: "{$name}" in a tool.
	Values map[string]map[events.Environment]string `json:"values,omitempty"`
	// Idempotency is how the provider honours a key; nil where it does not.
	Idempotency *Idempotency `json:"idempotency,omitempty"`
	Errors      ErrorSpec    `json:"errors,omitzero"`
	// RateLimit names the headers that tell how much may still be asked.
	RateLimit RateLimitSpec `json:"rate_limit,omitzero"`
	// Timeout bounds one try of a call, unless the tool has its own.
	Timeout Duration `json:"timeout,omitzero"`
	// Closed are paths, below the shared one, that no raw call may go to, nor
	// below them: what is answered there is a secret. "*" stands for one part.
	Closed []string `json:"closed,omitempty"`
	// Tools are those of the manifest's own file, then those of its parts.
	Tools []ToolSpec `json:"tools"`
}

// Encoding is a way to write a body.
type Encoding string

// Encodings.
const (
	EncodingJSON Encoding = "json"
	// EncodingForm is application/x-www-form-urlencoded in Stripe's brackets.
	EncodingForm Encoding = "form"
)

// AuthKind is a family of authentication.
type AuthKind string

// Kinds of authentication.
const (
	// AuthBearer sends a key as bearer token.
	AuthBearer AuthKind = "bearer"
	// AuthHeader sends a key in a header of the provider's own.
	AuthHeader AuthKind = "header"
	// AuthPath carries secrets in the path, and perhaps in a header too.
	AuthPath AuthKind = "path"
	// AuthBasicToken exchanges name and password for a short-lived token.
	AuthBasicToken AuthKind = "basic_token"
	// AuthClientCredentials is OAuth 2 of that grant.
	AuthClientCredentials AuthKind = "client_credentials"
	// AuthAuthorizationCode is OAuth 2 of that grant: a person connected the
	// account once, and the pair of tokens that came of it is renewed for ever
	// after. A credential that is an access token alone is used until it ends.
	AuthAuthorizationCode AuthKind = "authorization_code"
)

// Auth says what a RoundTripper adds to a request.
type Auth struct {
	Kind AuthKind `json:"kind"`
	// Headers hold credential fields in braces. One that names an optional field
	// which the credential lacks is not sent.
	Headers map[string]string `json:"headers,omitempty"`
	// Path goes between base URL and tool path.
	Path string `json:"path,omitempty"`
	// Token is how the bearer token is obtained that goes with every call.
	Token *TokenSpec `json:"token,omitempty"`
	// Refresh is how the credential is renewed before its access token ends.
	Refresh *RefreshSpec `json:"refresh,omitempty"`
	// Authorize is how a person connects an account, which gives the first pair.
	Authorize *AuthorizeSpec `json:"authorize,omitempty"`
}

// TokenSpec is an exchange of a credential for a token.
type TokenSpec struct {
	// URL is absolute, or a path below the base URL. Where an operator has
	// replaced the base URL, the path of an absolute one goes below that.
	URL string `json:"url"`
	// Username and Password go as Basic authentication, when set.
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	// Form or JSON is the body.
	Form map[string]string `json:"form,omitempty"`
	JSON map[string]string `json:"json,omitempty"`
	// Token, ExpiresIn (seconds) and ExpiresAt point into the answer.
	Token     string `json:"token"`
	ExpiresIn string `json:"expires_in,omitempty"`
	ExpiresAt string `json:"expires_at,omitempty"`
	// UTCOffset is the zone of an ExpiresAt that names none, as "-03:00".
	UTCOffset string `json:"utc_offset,omitempty"`
}

// RefreshSpec is an exchange of a credential's refresh token for a new pair of
// tokens. The credential's fields have the names of [FieldAccessToken] and its
// like. Its URL is a path, that of the host and not below the shared one.
type RefreshSpec struct {
	TokenSpec
	// RefreshToken points, in the answer, at the next refresh token.
	RefreshToken string `json:"refresh_token"`
	// Before is how long before its end an access token is renewed.
	Before Duration `json:"before"`
}

// AuthorizeSpec is the grant of a code by a person, and its exchange for a pair
// of tokens where [RefreshSpec] renews one, with an answer of the same form. The
// names in the page's query are those of RFC 6749.
type AuthorizeSpec struct {
	// URL is the page that asks the person: a path of the host.
	URL string `json:"url"`
	// Scopes are asked for where the caller names none, and all that may be.
	Scopes []string `json:"scopes"`
	// PKCE is set where the provider takes RFC 7636's challenge.
	PKCE bool `json:"pkce,omitempty"`
	// Form or JSON is the body of the exchange: fields of the credential in
	// braces, and {$code}, {$redirect_uri} and {$code_verifier}.
	Form map[string]string `json:"form,omitempty"`
	JSON map[string]string `json:"json,omitempty"`
}

// Idempotency is how a provider honours a key.
type Idempotency struct {
	// Header carries the key.
	Header string `json:"header"`
	// BusyStatuses mean that another try with the key is still being served.
	BusyStatuses []int `json:"busy_statuses,omitempty"`
	// ShouldRetry is an answer's header that says "true" or "false".
	ShouldRetry string `json:"should_retry,omitempty"`
}

// ErrorSpec points at what the provider says of an error. The first pointer
// that meets a text wins.
type ErrorSpec struct {
	Message []string `json:"message,omitempty"`
	Code    []string `json:"code,omitempty"`
}

// RateLimitSpec names headers of an answer. Retry-After is read from every
// provider and needs no naming.
type RateLimitSpec struct {
	// Remaining tells how many calls are left.
	Remaining string `json:"remaining,omitempty"`
	// Reset tells when there are more: in seconds from now, or as a Unix time.
	Reset string `json:"reset,omitempty"`
}

// Stakes are what a call puts at risk beyond a record that can be mended.
type Stakes string

// Stakes; a tool without has none.
const (
	// StakesMoney moves money, or commits to pay it.
	StakesMoney Stakes = "money"
	// StakesIrreversible reaches people or authorities, or destroys.
	StakesIrreversible Stakes = "irreversible"
)

// ToolSpec is one tool.
type ToolSpec struct {
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Safety      agent.Safety `json:"safety"`
	Stakes      Stakes       `json:"stakes,omitempty"`
	// Corrects says, for people, what public connectors get wrong here, and by
	// whose word; Doubt says what nobody has confirmed.
	Corrects string `json:"corrects,omitempty"`
	Doubt    string `json:"doubt,omitempty"`
	Method   string `json:"method"`
	Path     string `json:"path"`
	// Parameters is the JSON Schema of the arguments. A default on its top level
	// is sent where the argument is not given.
	Parameters json.RawMessage `json:"parameters"`
	// Query lays out the query. Defaults to all arguments that are not in the
	// path for GET and DELETE, and to none for other methods.
	Query json.RawMessage `json:"query,omitempty"`
	// Body lays out the body, an object or a list; "{*}" is all arguments that are
	// neither in path nor query, and the default for methods other than GET and
	// DELETE.
	Body json.RawMessage `json:"body,omitempty"`
	// Secrets are members of the body, an object, that no argument may carry:
	// credential fields in braces, put in by the RoundTripper. A tool whose fields
	// the credential lacks is refused.
	Secrets map[string]string `json:"secrets,omitempty"`
	// Returns is the JSON Schema of a good answer, as far as the tool's users may
	// rely on it. An answer that does not fit is passed on all the same.
	Returns json.RawMessage `json:"returns"`
	// Timeout bounds one try.
	Timeout Duration    `json:"timeout,omitzero"`
	Lookup  *LookupSpec `json:"lookup,omitempty"`
}

// Traced reports whether what the tool makes carries the key of its call.
func (t ToolSpec) Traced() bool { return t.Lookup != nil }

// LookupSpec is how the effect of a call can be found again.
type LookupSpec struct {
	// Write is laid over the body where the caller has set nothing, so that the
	// effect carries the key: "{$key}". Where the caller has, the call cannot be
	// looked up.
	Write json.RawMessage `json:"write"`
	// Path and Query of the GET that finds it.
	Path  string          `json:"path"`
	Query json.RawMessage `json:"query,omitempty"`
	// List points at the array in the answer; "" is the answer itself.
	List string `json:"list"`
	// Match points, in an element, at what must equal the key.
	Match string `json:"match"`
	// Conclusive means that an empty list proves that there was no effect.
	Conclusive bool `json:"conclusive,omitempty"`
}

// Duration is a [time.Duration] written as "30s".
type Duration time.Duration

// UnmarshalText reads the form of [time.ParseDuration].
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// MarshalText writes the form that UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }
