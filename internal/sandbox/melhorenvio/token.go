package melhorenvio

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/fake"
	"github.com/feira-dev/feira/internal/sandbox/journal"
)

const (
	// accessLife and refreshLife are those of the provider: 30 and 45 days.
	accessLife  = 30 * 24 * time.Hour
	refreshLife = 45 * 24 * time.Hour
	codeLife    = 10 * time.Minute
)

// Effects of the desk that gives out tokens.
const (
	// EffectConnected is a code that became a pair of tokens.
	EffectConnected = "token.connected"
	// EffectRenewed is a refresh token that became a pair.
	EffectRenewed = "token.renewed"
	// EffectReused is a refresh token or a code that came again.
	EffectReused = "token.reused"
)

// grant is what a token or a code stands for.
type grant struct {
	account string // its key
	tenant  string
	client  string
	expires time.Time
	spent   bool
	// redirect is a code's.
	redirect string
}

// issuer gives out pairs of tokens, and knows them again. A refresh token is
// good once.
type issuer struct {
	world fake.World
	all   func() []fake.Opened

	mu      sync.Mutex
	access  map[string]*grant
	refresh map[string]*grant
	codes   map[string]*grant
	serial  int
}

func newIssuer(world fake.World) *issuer {
	return &issuer{world: world, access: map[string]*grant{}, refresh: map[string]*grant{}, codes: map[string]*grant{}}
}

// authorize stands in for the page at which a person says yes: whoever asks
// for it has said so. Which account is meant, the page knows by its cookie and
// this one by login_hint, the account's label; without one, it is the first of
// the application's.
func (i *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	back, err := url.Parse(query.Get("redirect_uri"))
	account, known := i.find(query.Get("client_id"), query.Get("login_hint"))
	switch {
	case !known:
		oauth(http.StatusUnauthorized, "invalid_client", "Client authentication failed").Write(w)
		return
	case err != nil || back.Host == "":
		oauth(http.StatusBadRequest, "invalid_request", "Check the redirect_uri parameter").Write(w)
		return
	case query.Get("response_type") != "code":
		oauth(http.StatusBadRequest, "unsupported_response_type", "response_type must be code").Write(w)
		return
	}
	i.mu.Lock()
	i.serial++
	code := "def50200" + i.world.Token(fake.Hex, 120, Server, "code", account.Key, strconv.Itoa(i.serial))
	i.codes[code] = &grant{
		account: account.Key, tenant: account.Tenant, client: query.Get("client_id"), redirect: query.Get("redirect_uri"), expires: i.world.Now().Add(codeLife),
	}
	i.mu.Unlock()
	to := back.Query()
	to.Set("code", code)
	if state := query.Get("state"); state != "" {
		to.Set("state", state)
	}
	back.RawQuery = to.Encode()
	w.Header().Set("Location", back.String())
	w.WriteHeader(http.StatusFound)
}

// find is an account of an application: that of a label, or the first.
func (i *issuer) find(client, label string) (fake.Opened, bool) {
	for _, one := range i.all() {
		if client != "" && one.Fields["client_id"] == client && (label == "" || label == one.Tenant) {
			return one, true
		}
	}
	return fake.Opened{}, false
}

// issue exchanges a code or a refresh token for a pair, sent as a form or JSON.
func (i *issuer) issue(r *http.Request, body []byte) fake.Answer {
	sent, err := readGrant(r, body)
	if err != nil {
		return oauth(http.StatusBadRequest, "invalid_request", "The body is neither a form nor JSON")
	}
	if app, known := i.find(sent["client_id"], ""); !known || app.Fields["client_secret"] != sent["client_secret"] {
		return oauth(http.StatusUnauthorized, "invalid_client", "Client authentication failed")
	}
	i.learn()
	i.mu.Lock()
	defer i.mu.Unlock()
	var found *grant
	effect := EffectRenewed
	switch sent["grant_type"] {
	case "authorization_code":
		effect = EffectConnected
		if found = i.codes[sent["code"]]; found != nil && found.redirect != sent["redirect_uri"] {
			found = nil
		}
	case "refresh_token":
		found = i.refresh[sent["refresh_token"]]
	default:
		return oauth(http.StatusBadRequest, "unsupported_grant_type", "The authorization grant type is not supported")
	}
	now := i.world.Now()
	switch {
	case found == nil || found.client != sent["client_id"] || !now.Before(found.expires):
		return oauth(http.StatusUnauthorized, "invalid_grant", "The grant is invalid or has expired")
	case found.spent:
		i.note(found, EffectReused, body)
		return oauth(http.StatusUnauthorized, "invalid_grant", "The token has been revoked")
	}
	found.spent = true
	i.note(found, effect, body)
	return i.pair(found, now)
}

func (i *issuer) pair(of *grant, now time.Time) fake.Answer {
	i.serial++
	part := func(alphabet string, n int, name string) string {
		return i.world.Token(alphabet, n, Server, "token", name, of.account, strconv.Itoa(i.serial))
	}
	access := "eyJ" + part(fake.Base64, 33, "header") + "." + part(fake.Base64, 340, "claims") + "." + part(fake.Base64, 342, "signature")
	refresh := "def50200" + part(fake.Hex, 640, "refresh")
	i.access[access] = &grant{account: of.account, tenant: of.tenant, client: of.client, expires: now.Add(accessLife)}
	i.refresh[refresh] = &grant{account: of.account, tenant: of.tenant, client: of.client, expires: now.Add(refreshLife)}
	return fake.OK(fake.Map{"token_type": "Bearer", "expires_in": int(accessLife / time.Second), "access_token": access, "refresh_token": refresh})
}

// learn takes in the tokens that accounts were opened with.
func (i *issuer) learn() {
	all := i.all()
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, one := range all {
		token := one.Fields["refresh_token"]
		if _, known := i.refresh[token]; token != "" && !known {
			i.refresh[token] = &grant{account: one.Key, tenant: one.Tenant, client: one.Fields["client_id"], expires: i.world.Now().Add(refreshLife)}
		}
	}
}

func (i *issuer) note(of *grant, effect string, body []byte) {
	i.world.Journal.Append(journal.Entry{
		Time: i.world.Now(), Server: Server, Account: of.tenant, Effect: effect, Object: of.client, BodyHash: journal.HashBody(body),
	})
}

// identify finds a token's account. One that an account was opened with is good
// until the end that the account's fields tell.
func (i *issuer) identify(r *http.Request) (string, *fake.Answer) {
	token := fake.Bearer(r)
	i.mu.Lock()
	given, ok := i.access[token]
	i.mu.Unlock()
	now := i.world.Now()
	if ok && now.Before(given.expires) {
		return given.account, nil
	}
	refused := unauthenticated()
	if ok || token == "" {
		return "", &refused
	}
	for _, one := range i.all() {
		if end, err := time.Parse(time.RFC3339, one.Fields["expires_at"]); one.Key == token && err == nil && !now.Before(end) {
			return "", &refused
		}
	}
	return token, nil
}

func readGrant(r *http.Request, body []byte) (map[string]string, error) {
	sent := map[string]string{}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return sent, json.Unmarshal(body, &sent)
	}
	form, err := url.ParseQuery(string(body))
	for name := range form {
		sent[name] = form.Get(name)
	}
	return sent, err
}

func oauth(status int, code, text string) fake.Answer {
	return fake.Answer{Status: status, Body: fake.Map{"error": code, "error_description": text, "message": text}}
}
