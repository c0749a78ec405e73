package correios

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// tokenLife is how long a token is good for.
const tokenLife = 24 * time.Hour

// ticket is a token that was given out.
type ticket struct {
	key     string
	expires time.Time
}

// counter gives out tokens, and knows them again.
type counter struct {
	world fake.World
	known func(key string) (map[string]string, bool)

	mu     sync.Mutex
	issued map[string]ticket
	serial int
}

// key is what an account is known by.
func key(user, code, card string) string { return strings.Join([]string{user, code, card}, "\x00") }

// issue is the login by posting card.
func (d *counter) issue(r *http.Request, body []byte) fake.Answer {
	user, code, ok := r.BasicAuth()
	if !ok {
		return refuse(r, http.StatusUnauthorized, "TOK-001: Credenciais não informadas.")
	}
	object, err := fake.ParseObject(body)
	if err != nil || !object.Has("numero") {
		return refuse(r, http.StatusBadRequest, "TOK-010: O número do cartão de postagem deve ser informado.")
	}
	account := key(user, code, object.Text("numero"))
	if _, ok := d.known(account); !ok {
		return refuse(r, http.StatusUnauthorized, "TOK-002: Usuário, código de acesso ou cartão de postagem inválido.")
	}
	now := d.world.Now()
	token := d.mint(account, now.Add(tokenLife))
	return fake.Created(fake.Map{
		"ambiente": "HOMOLOGACAO", "id": user, "perfil": "PJ", "cartaoPostagem": fake.Map{"numero": object.Text("numero")},
		"emissao": stamp(now), "expiraEm": stamp(now.Add(tokenLife)), "zoneOffset": "-03:00", "token": token,
	})
}

func (d *counter) mint(account string, expires time.Time) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.serial++
	serial := strconv.Itoa(d.serial)
	part := func(n int, name string) string {
		return d.world.Token(fake.Base64, n, Server, "token", name, account, serial)
	}
	token := "eyJ" + part(33, "header") + "." + part(160, "claims") + "." + part(86-len(fake.Mark), "signature") + fake.Mark
	d.issued[token] = ticket{key: account, expires: expires}
	return token
}

func (d *counter) identify(r *http.Request) (string, *fake.Answer) {
	token := fake.Bearer(r)
	if token == "" {
		refusal := refuse(r, http.StatusUnauthorized, "GTW-004: Token não informado.")
		return "", &refusal
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	found, ok := d.issued[token]
	if !ok || !d.world.Now().Before(found.expires) {
		delete(d.issued, token)
		refusal := invalidToken(r)
		return "", &refusal
	}
	return found.key, nil
}

func invalidToken(r *http.Request) fake.Answer {
	return refuse(r, http.StatusUnauthorized, "GTW-006: Token inválido ou expirado.")
}
