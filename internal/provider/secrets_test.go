package provider

import (
	"encoding/json"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

func certified() fields {
	held := maps.Clone(credentialOf("nuvem-fiscal"))
	held["certificate"], held["certificate_password"] = "CANARY+certificate/0001=", `CANARY "password" {client_secret}`
	return held
}

// A secret of a tool's body is the credential's, and no argument's.
func TestSecretsReachABodyFromTheCredentialAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, "nuvem-fiscal", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"note":"CANARY+certificate/0001="}`))
	}, func(c *Config) { c.Credentials = certified() })
	result := b.call(t, "upload_certificate", `{"cpf_cnpj":"11222333000181"}`)
	require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
	require.NotContains(t, result.Output, "CANARY")
	require.NotContains(t, b.logs.String(), "CANARY")
	require.JSONEq(t, `{"certificado":"CANARY+certificate/0001=","password":"CANARY \"password\" {client_secret}"}`, b.requests()[0].Body)
	require.Equal(t, "application/json", b.requests()[0].Header.Get("Content-Type"))
	for _, arguments := range []string{
		`{"cpf_cnpj":"11222333000181","certificado":"x"}`, `{"cpf_cnpj":"11222333000181","password":"x"}`, `{"cpf_cnpj":"11222333000181","senha":"x"}`,
	} {
		requireFault(t, b.call(t, "upload_certificate", arguments), events.ToolRefused, events.FaultInvalidArguments)
	}
	require.Len(t, b.requests(), 1)
}

func TestAToolWhoseSecretsAreNotThereIsRefused(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"certificate", "certificate_password"} {
		held := certified()
		delete(held, lost)
		b := setup(t, "nuvem-fiscal", answerWith(200, `{}`), func(c *Config) { c.Credentials = held })
		result := b.call(t, "upload_certificate", `{"cpf_cnpj":"11222333000181"}`)
		requireFault(t, result, events.ToolRefused, events.FaultNoCredential)
		require.Contains(t, result.Fault.Message, "lacks "+lost+",")
		require.Empty(t, b.requests())
		require.Equal(t, events.ToolOK, b.call(t, "consult_cep", `{"cep":"01310100"}`).Status, "other tools do not ask for it")
	}
}

// Each try of a call carries them.
func TestSecretsGoWithEveryTry(t *testing.T) {
	t.Parallel()
	b := setup(t, "nuvem-fiscal", answerWith(http.StatusBadGateway, ``), func(c *Config) { c.Credentials = certified() })
	b.call(t, "upload_certificate", `{"cpf_cnpj":"11222333000181"}`)
	require.Len(t, b.requests(), DefaultTries)
	for _, request := range b.requests() {
		require.Contains(t, request.Body, "CANARY+certificate")
	}
}

func TestSecretsThatCouldBeArgumentsAreNoManifest(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*ToolSpec)
		want   string
	}{
		"laid out":       {func(s *ToolSpec) { s.Body = json.RawMessage(`{"certificado":"x"}`) }, "certificado may come from an argument"},
		"a list":         {func(s *ToolSpec) { s.Body = json.RawMessage(`["x"]`) }, "no JSON object"},
		"no body":        {func(s *ToolSpec) { s.Method = http.MethodGet }, "no JSON object"},
		"no field":       {func(s *ToolSpec) { s.Secrets = map[string]string{"password": "x"} }, "names no field"},
		"unknown field":  {func(s *ToolSpec) { s.Secrets = map[string]string{"password": "{nobody}"} }, "{nobody} is no field of the credential"},
		"as an argument": {func(s *ToolSpec) { s.Secrets = map[string]string{"cnpj": "{certificate}"}; withArgument(s) }, "cnpj may come from an argument"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			manifest := manifestOf(t, "nuvem-fiscal")[0]
			manifest.Tools = append([]ToolSpec(nil), manifest.Tools...)
			for i := range manifest.Tools {
				if manifest.Tools[i].Name == "upload_certificate" {
					test.change(&manifest.Tools[i])
				}
			}
			err := Check([]Manifest{manifest})
			require.ErrorIs(t, err, ErrInvalidManifest)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func withArgument(s *ToolSpec) {
	s.Parameters = json.RawMessage(`{"type":"object","additionalProperties":false,"required":["cpf_cnpj"],"properties":{"cpf_cnpj":{"type":"string"},"cnpj":{"type":"string"}}}`)
}
