package sandbox

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/asaas"
	"github.com/feira-dev/feira/internal/sandbox/correios"
	"github.com/feira-dev/feira/internal/sandbox/fake"
	"github.com/feira-dev/feira/internal/sandbox/melhorenvio"
	"github.com/feira-dev/feira/internal/sandbox/nuvemfiscal"
	"github.com/feira-dev/feira/internal/sandbox/stripe"
	"github.com/feira-dev/feira/internal/sandbox/zapi"
)

// Mark stands in every secret that the sandbox makes, and is nowhere else, so
// that a scan can tell where one was written down.
const Mark = fake.Mark

// Account is a customer's account at one provider.
type Account struct {
	// Tenant labels it in the journal.
	Tenant string
	// Webhook, when not nil, is where the account's webhooks go from the start.
	Webhook *Webhook
	// Credential are the fields that its calls carry. Defaults to those of
	// [Credential] for the sandbox's seed.
	Credential map[string]string
}

// Webhook is where an account's webhooks go, as its owner sets it on the
// provider's pages: [Sandbox.Subscribe].
type Webhook struct {
	// URL holds the secret itself where the provider signs nothing, as Z-API.
	URL string
	// Key is what the provider signs with, or sends along.
	Key string
}

// Servers are the providers of the sandbox, by the names that tools carry.
func Servers() []string {
	return []string{asaas.Server, correios.Server, melhorenvio.Server, nuvemfiscal.Server, stripe.Server, zapi.Server}
}

// Credential makes the fields of a tenant's account at a server. They look
// like the provider's own, and follow from the seed alone.
func Credential(seed, server, tenant string) (map[string]string, error) {
	world := fake.World{Seed: seed}
	part := func(alphabet string, n int, name string) string {
		return world.Token(alphabet, n, "credential", server, tenant, name)
	}
	secret := func(alphabet string, n int, name string) string { return part(alphabet, n-len(Mark), name) + Mark }
	switch server {
	case stripe.Server:
		return map[string]string{"secret_key": "sk_test_" + "51" + secret(fake.Base62, 97, "key")}, nil
	case correios.Server:
		return map[string]string{
			"user": part(fake.Decimal, 14, "user"), "access_code": secret(fake.Base62, 40, "code"), "posting_card": "00" + part(fake.Decimal, 8, "card"),
		}, nil
	case nuvemfiscal.Server:
		return map[string]string{"client_id": part(fake.Base62, 20, "id"), "client_secret": secret(fake.Base62, 40, "secret")}, nil
	case asaas.Server:
		return map[string]string{"api_key": "$aact_hmlg_" + secret(fake.Base62, 120, "key") + "::" + world.UUID("credential", server, tenant)}, nil
	case melhorenvio.Server:
		return map[string]string{"access_token": webToken(world, tenant)}, nil
	case zapi.Server:
		return map[string]string{
			"instance_id": part(fake.HexUpper, 32, "instance"), "token": secret(fake.HexUpper, 24, "token"), "client_token": "F" + strings.ToLower(secret(fake.Hex, 32, "client")) + "S",
		}, nil
	default:
		return nil, fmt.Errorf("%w: %q", ErrUnknownServer, server)
	}
}

// webToken has the form of a JSON web token. Nobody holds a key to its
// signature: the sandbox knows the whole token, or does not.
func webToken(world fake.World, tenant string) string {
	encode := base64.RawURLEncoding.EncodeToString
	claims := `{"aud":"1","jti":"` + world.Token(fake.Hex, 80, "jti", tenant) + `","iat":1735689600,"exp":4891363200,"sub":"` +
		world.UUID("sub", tenant) + `","scopes":["cart-write","shipping-calculate","shipping-checkout","shipping-generate","shipping-print","shipping-tracking","shipping-cancel"]}`
	return encode([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + encode([]byte(claims)) + "." + world.Token(fake.Base64, 342-len(Mark), "signature", tenant) + Mark
}
