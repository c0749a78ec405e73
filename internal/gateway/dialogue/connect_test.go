package dialogue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/sandbox"
)

// connectBundle is a shop that has no account at Melhor Envio any more, and an
// operator that has an application there.
type connectBundle struct {
	*Bed

	other  string // URL of another gateway
	client *http.Client
}

func setupConnect(t *testing.T) *connectBundle {
	t.Helper()
	provider, err := sandbox.New(sandbox.Config{})
	require.NoError(t, err)
	require.NoError(t, provider.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, provider.Stop(context.WithoutCancel(t.Context()))) })
	application := map[string]string{"client_id": "saas-app", "client_secret": "secret-of-the-app-" + sandbox.Mark}
	account := map[string]string{"access_token": "nobody-has-it", "client_id": application["client_id"], "client_secret": application["client_secret"]}
	_, err = provider.Open("melhor-envio", sandbox.Account{Tenant: "tenant_loja", Credential: account})
	require.NoError(t, err)
	b := &connectBundle{
		Bed: Start(t, func(c *config.Config) {
			c.Gateway.ConnectRedirects = []string{"http://localhost/"}
			c.Provider.URLs = map[string]string{"melhor-envio": provider.BaseURLs()["melhor-envio"]}
		}),
		client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	b.other = "http://" + b.Gateway(t)
	require.NoError(t, b.Operator.DeleteCredential(t.Context(), "tenant_loja", "melhor-envio", ""))
	text, err := json.Marshal(application)
	require.NoError(t, err)
	_, err = b.Operator.Register(t.Context(), "melhor-envio", events.EnvironmentTest, string(text))
	require.NoError(t, err)
	return b
}

func (b *connectBundle) do(t *testing.T, method, address, body string, into any) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+b.Dev.Key)
	request.Header.Set("Content-Type", "application/json")
	answer, err := b.client.Do(request)
	require.NoError(t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	if into != nil {
		require.NoError(t, json.Unmarshal(text, into), string(text))
	}
	return answer
}

// begin starts to connect, has the person say yes, and returns where the
// provider sends them.
func (b *connectBundle) begin(t *testing.T) *url.URL {
	t.Helper()
	var started struct {
		LinkToken    string `json:"link_token"`
		AuthorizeURL string `json:"authorize_url"`
	}
	answer := b.do(t, http.MethodPost, b.Dev.HTTP+"/v1/connect/start",
		`{"server_id":"melhor-envio","user_id":"tenant_loja","redirect_uri":"http://localhost:5173/connected?tab=shipping"}`, &started)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	answer = b.do(t, http.MethodGet, started.AuthorizeURL, "", nil)
	require.Equal(t, http.StatusFound, answer.StatusCode, started.AuthorizeURL)
	back, err := url.Parse(answer.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, b.Dev.HTTP+"/v1/connect/return", back.Scheme+"://"+back.Host+back.Path)
	require.Equal(t, started.LinkToken, back.Query().Get("state"))
	require.NotEmpty(t, back.Query().Get("code"))
	return back
}

// balance calls a tool of the shop's at Melhor Envio.
func (b *connectBundle) balance(t *testing.T) (succeeded bool, said string) {
	t.Helper()
	var opened struct{ ID string }
	b.do(t, http.MethodPost, b.Dev.HTTP+"/v1/sessions", `{"servers":["melhor-envio"],"user_id":"tenant_loja"}`, &opened)
	var result struct {
		Success bool
		Data    json.RawMessage
	}
	b.do(t, http.MethodPost, b.Dev.HTTP+"/v1/sessions/"+opened.ID+"/execute", `{"tool":"melhor-envio__get_balance","input":{}}`, &result)
	return result.Success, string(result.Data)
}

func (b *connectBundle) connections(t *testing.T) string {
	t.Helper()
	var listed struct {
		Connections []struct {
			ID     string
			Status string
		}
	}
	b.do(t, http.MethodGet, b.Dev.HTTP+"/v1/connections?user_id=tenant_loja&server_id=melhor-envio", "", &listed)
	var told []string
	for _, one := range listed.Connections {
		told = append(told, one.ID+" "+one.Status)
	}
	return strings.Join(told, "\n")
}

// From the first request to a tool call: begun at one gateway, come back to
// another, and the account works.
func TestAnAccountIsConnected(t *testing.T) {
	t.Parallel()
	b := setupConnect(t)
	require.Empty(t, b.connections(t))
	succeeded, said := b.balance(t)
	require.False(t, succeeded)
	require.Contains(t, said, "no_credential")

	back := b.begin(t)
	answer := b.do(t, http.MethodGet, b.other+back.RequestURI(), "", nil)
	require.Equal(t, http.StatusFound, answer.StatusCode)
	require.Equal(t, "no-referrer", answer.Header.Get("Referrer-Policy"))
	to, err := url.Parse(answer.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "http://localhost:5173/connected", to.Scheme+"://"+to.Host+to.Path)
	query := to.Query()
	require.Equal(t, "connected", query.Get("status"))
	require.Equal(t, "shipping", query.Get("tab"), "what the caller put there is left")
	require.NotContains(t, to.String(), back.Query().Get("code"))
	require.NotContains(t, to.String(), back.Query().Get("state"))
	require.Equal(t, query.Get("connection_id")+" connected", b.connections(t))
	succeeded, said = b.balance(t)
	require.True(t, succeeded, said)

	answer = b.do(t, http.MethodGet, back.String(), "", nil)
	require.Equal(t, http.StatusBadRequest, answer.StatusCode, "a link is good once")
	require.Empty(t, answer.Header.Get("Location"))
}

// Of many who come back by one link, at both gateways, one gets through.
func TestALinkIsGoodOnce(t *testing.T) {
	t.Parallel()
	b := setupConnect(t)
	back := b.begin(t)
	var coming sync.WaitGroup
	var through, refused atomic.Int64
	for n := range 12 {
		at := b.Dev.HTTP
		if n%2 == 0 {
			at = b.other
		}
		coming.Go(func() {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+back.RequestURI(), http.NoBody)
			if err != nil {
				return
			}
			answer, err := b.client.Do(request)
			if err != nil {
				return
			}
			_ = answer.Body.Close()
			switch answer.StatusCode {
			case http.StatusFound:
				through.Add(1)
			case http.StatusBadRequest:
				refused.Add(1)
			}
		})
	}
	coming.Wait()
	require.Equal(t, int64(1), through.Load())
	require.Equal(t, int64(11), refused.Load())
}
