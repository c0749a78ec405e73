package fake

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/journal"
)

// Call is one request of one account, which nobody else uses meanwhile.
type Call[S any] struct {
	Request *http.Request
	Body    []byte
	// State is the account's.
	State *S
	// Tenant labels the account.
	Tenant string
	// Fields are the account's credential.
	Fields map[string]string
	Now    time.Time

	server  string
	world   World
	account *Account[S]
}

// Handler serves one route.
type Handler[S any] func(c *Call[S]) Answer

// Path returns a wildcard of the route's pattern.
func (c *Call[S]) Path(name string) string { return c.Request.PathValue(name) }

// Query returns the query's parameters.
func (c *Call[S]) Query() url.Values { return c.Request.URL.Query() }

// Header returns a header of the request.
func (c *Call[S]) Header(name string) string { return c.Request.Header.Get(name) }

// Object reads the body as a JSON object.
func (c *Call[S]) Object() (Object, error) { return ParseObject(c.Body) }

// Token makes the account's next id: a prefix and n characters of an alphabet.
func (c *Call[S]) Token(prefix, alphabet string, n int) string {
	kind := prefix + "/" + alphabet
	return prefix + c.world.Token(alphabet, n, c.server, c.Tenant, kind, c.account.next(kind))
}

// UUID makes the account's next id of a kind.
func (c *Call[S]) UUID(kind string) string {
	return c.world.UUID(c.server, c.Tenant, kind, c.account.next(kind))
}

// Effect writes a line into the journal. The reference is the caller's own id
// of the object, empty when it gave none.
func (c *Call[S]) Effect(effect, object, reference string) {
	key := c.Header("Idempotency-Key")
	c.world.Journal.Append(journal.Entry{
		Time: c.Now, Server: c.server, Account: c.Tenant, Effect: effect, Object: object,
		Key: strings.Clone(key), Reference: reference, BodyHash: journal.HashBody(c.Body),
	})
}
