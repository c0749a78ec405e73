package provider

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/feira-dev/feira/events"
)

// checkSecrets finds a body that secrets cannot be put into.
func (t *tool) checkSecrets(manifest Manifest) error {
	if len(t.Secrets) == 0 {
		return nil
	}
	layout, isObject := t.body.(map[string]any)
	if manifest.Body != EncodingJSON || t.body != "{*}" && !isObject {
		return errors.New("secrets: the body is no JSON object")
	}
	for name, text := range t.Secrets {
		_, laid := layout[name]
		_, isParameter := t.schema.Properties[name]
		if laid || isParameter && !t.elsewhere[name] {
			return errors.New("secrets: " + name + " may come from an argument")
		}
		if !fieldPattern.MatchString(text) {
			return errors.New("secrets: " + name + " names no field of the credential")
		}
	}
	return nil
}

// equipped refuses a tool whose secrets the credential lacks.
func (a *account) equipped(t *tool) *events.ToolFault {
	for _, name := range slices.Sorted(maps.Keys(t.Secrets)) {
		if _, complete := a.fill(t.Secrets[name]); !complete {
			return &events.ToolFault{
				Code:    events.FaultNoCredential,
				Message: a.server.manifest.Name + ": the credential lacks " + strings.Trim(t.Secrets[name], "{}") + ", which " + t.Name + " sends",
			}
		}
	}
	return nil
}

var errSecretBody = errors.New("the body takes no secret")

// insertSecrets puts secrets into a body that was made without them. They are
// nowhere else: not in arguments, and so in no log of a session.
func (i *injector) insertSecrets(request *http.Request) error {
	if len(i.secrets) == 0 {
		return nil
	}
	plain, err := io.ReadAll(request.Body)
	_ = request.Body.Close()
	if err != nil {
		return errSecretBody
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(plain))
	object, isObject := document.(map[string]any)
	if err != nil || !isObject {
		return errSecretBody
	}
	for name, text := range i.secrets {
		value, complete := i.account.fill(text)
		if !complete {
			return errSecretBody
		}
		object[name] = value
	}
	body, err := encodeJSON(object)
	if err != nil {
		return errSecretBody
	}
	request.ContentLength = int64(len(body))
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	request.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}
