package provider

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
)

const maxToolName = 64 // "server__tool", as models take it

// server is a [Manifest] made ready to be called; it does not change after that.
type server struct {
	manifest Manifest
	tools    []*tool
	byName   map[string]*tool
	// raw are the tools of raw calls.
	raw map[string]*tool
	// override replaces the base URL of both environments; empty for none.
	override string
	wire     *egress.Wire
}

func compileServer(manifest Manifest, override string) (*server, error) {
	made := &server{manifest: manifest, byName: map[string]*tool{}, raw: rawTools(), override: strings.TrimSuffix(override, "/")}
	var faults []error
	for _, spec := range manifest.Tools {
		compiled, err := compileTool(manifest, spec)
		if err == nil && made.byName[spec.Name] != nil {
			err = errors.New("name is taken")
		}
		if err == nil && made.raw[spec.Name] != nil {
			err = errors.New("name is that of a raw call")
		}
		if err == nil && len(agent.ToolName(manifest.ID, spec.Name)) > maxToolName {
			err = errors.New("name is too long")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%w: %s: tool %s: %w", ErrInvalidManifest, manifest.ID, spec.Name, err))
			continue
		}
		made.tools = append(made.tools, compiled)
		made.byName[spec.Name] = compiled
	}
	if err := checkAuth(manifest); err != nil {
		faults = append(faults, fmt.Errorf("%w: %s: %w", ErrInvalidManifest, manifest.ID, err))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return made, nil
}

// checkAuth finds braces that name no field of the credential.
func checkAuth(manifest Manifest) error {
	texts := append(slices.Collect(maps.Values(manifest.Auth.Headers)), manifest.Auth.Path)
	if token := manifest.Auth.Token; token != nil {
		texts = append(texts, token.Username, token.Password)
		texts = slices.AppendSeq(texts, maps.Values(token.Form))
		texts = slices.AppendSeq(texts, maps.Values(token.JSON))
	}
	fields := manifest.Credential.names()
	if refresh := manifest.Auth.Refresh; refresh != nil {
		texts = slices.AppendSeq(texts, maps.Values(refresh.Form))
		texts = slices.AppendSeq(texts, maps.Values(refresh.JSON))
		for _, name := range []string{FieldAccessToken, FieldRefreshToken, FieldExpiresAt, FieldRenewingUntil, FieldRefusedAt} {
			if !slices.Contains(fields, name) {
				return fmt.Errorf("auth: refresh needs the credential to have field %s", name)
			}
		}
	}
	if authorize := manifest.Auth.Authorize; authorize != nil {
		texts = slices.AppendSeq(append(texts, "{client_id}"), maps.Values(authorize.Form))
		texts = slices.AppendSeq(texts, maps.Values(authorize.JSON))
	}
	for _, tool := range manifest.Tools {
		texts = slices.AppendSeq(texts, maps.Values(tool.Secrets))
	}
	if authorize := manifest.Auth.Authorize; authorize != nil {
		texts = slices.AppendSeq(texts, maps.Values(authorize.Form))
		texts = slices.AppendSeq(texts, maps.Values(authorize.JSON))
		texts = append(texts, "{client_id}")
	}
	for _, tool := range manifest.Tools {
		texts = slices.AppendSeq(texts, maps.Values(tool.Secrets))
	}
	for _, text := range texts {
		for _, found := range fieldPattern.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(fields, found[1]) {
				return fmt.Errorf("auth: %s is no field of the credential", found[0])
			}
		}
	}
	if name := manifest.Credential.Default; name != "" && !slices.Contains(fields, name) {
		return fmt.Errorf("credential: default %s is no field", name)
	}
	return nil
}

// base is the URL below which the tools of an environment are; false when the
// provider has none and no operator gave one.
func (s *server) base(env events.Environment) (string, bool) {
	if s.override != "" {
		return s.override, true
	}
	base, ok := s.manifest.BaseURLs[env]
	return base, ok && base != ""
}

// tokenURL is where a token is obtained.
func (s *server) tokenURL(base string) string {
	address := s.manifest.Auth.Token.URL
	if strings.HasPrefix(address, "/") {
		return base + address
	}
	if s.override == "" {
		return address
	}
	if parsed, err := url.Parse(address); err == nil {
		return s.override + parsed.Path
	}
	return s.override
}

// refreshURL is where a pair of tokens is renewed, and obtained.
func (s *server) refreshURL(base string) string { return s.hostURL(base, s.manifest.Auth.Refresh.URL) }

// hostURL is a path of the host, not below what its tools share.
func (s *server) hostURL(base, path string) string {
	if s.override != "" {
		return s.override + path
	}
	if parsed, err := url.Parse(base); err == nil {
		return parsed.Scheme + "://" + parsed.Host + path
	}
	return base
}
