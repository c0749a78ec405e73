package nuvemfiscal

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// tokenLife is how long a token is good for: 30 days.
const tokenLife = 30 * 24 * time.Hour

// grant is what a token may do.
type grant struct {
	key     string
	scopes  []string
	expires time.Time
}

// issuer gives out tokens, and knows them again.
type issuer struct {
	world fake.World
	known func(key string) (map[string]string, bool)

	mu      sync.Mutex
	granted map[string]grant
	serial  int
}

func key(id, secret string) string { return id + "\x00" + secret }

func scopes() []string {
	return []string{"cep", "cnpj", "cte", "empresa", "mdfe", "nfce", "nfe", "nfse"}
}

// issue is the client credentials grant.
func (i *issuer) issue(r *http.Request, body []byte) fake.Answer {
	oauth := func(status int, code, text string) fake.Answer {
		return fake.Answer{Status: status, Body: fake.Map{"error": code, "error_description": text}}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("grant_type") != "client_credentials" {
		return oauth(http.StatusBadRequest, "unsupported_grant_type", "grant_type must be client_credentials, sent as a form")
	}
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	if _, ok := i.known(key(id, secret)); !ok {
		return oauth(http.StatusUnauthorized, "invalid_client", "Client authentication failed")
	}
	asked := strings.Fields(form.Get("scope"))
	for _, scope := range asked {
		if !slices.Contains(scopes(), scope) {
			return oauth(http.StatusBadRequest, "invalid_scope", "Unknown scope: "+scope)
		}
	}
	if len(asked) == 0 {
		asked = scopes()
	}
	token := i.mint(grant{key: key(id, secret), scopes: asked, expires: i.world.Now().Add(tokenLife)})
	return fake.OK(fake.Map{
		"access_token": token, "token_type": "bearer", "expires_in": int(tokenLife / time.Second), "scope": strings.Join(asked, " "),
	})
}

func (i *issuer) mint(g grant) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.serial++
	part := func(n int, name string) string {
		return i.world.Token(fake.Base64, n, Server, "token", name, g.key, strconv.Itoa(i.serial))
	}
	token := "eyJ" + part(33, "header") + "." + part(140, "claims") + "." + part(86-len(fake.Mark), "signature") + fake.Mark
	i.granted[token] = g
	return token
}

// identify finds a token's account, and asks for the scope of the path.
func (i *issuer) identify(r *http.Request) (string, *fake.Answer) {
	refused := func(status int, code, message string) (string, *fake.Answer) {
		answer := refuse(status, code, message)
		return "", &answer
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	token := fake.Bearer(r)
	g, ok := i.granted[token]
	if !ok || !i.world.Now().Before(g.expires) {
		delete(i.granted, token)
		return refused(http.StatusUnauthorized, "Unauthorized", "O token de acesso não foi informado, é inválido ou expirou.")
	}
	top, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	scope := strings.TrimSuffix(top, "s") // The path is /empresas, the scope is empresa.
	if slices.Contains(scopes(), scope) && !slices.Contains(g.scopes, scope) {
		return refused(http.StatusForbidden, "Forbidden", "O token de acesso não tem o escopo "+scope+".")
	}
	return g.key, nil
}
