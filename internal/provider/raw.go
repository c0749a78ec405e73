package provider

import (
	"cmp"
	"errors"
	"net/url"
	"path"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/argument"
	"github.com/feira-dev/feira/internal/proxy"
)

// rawTools are those of raw calls, one for each method, which every server has.
// Nothing is known of what such a call does, so that one which does not only read
// has another effect each time.
func rawTools() map[string]*tool {
	made := map[string]*tool{}
	for _, method := range proxy.Methods() {
		name, safety := proxy.ToolOf(method), agent.SafetyUnsafe
		if method == "GET" {
			safety = agent.SafetyRead
		}
		made[name] = &tool{ToolSpec: ToolSpec{Name: name, Safety: safety, Method: method}, raw: true}
	}
	return made
}

// rawRequest lays a raw call out. It goes below the path that all tools share,
// whether its endpoint says that path too or not.
func (t *tool) rawRequest(on *server, call agent.Call) (request, *events.ToolFault) {
	asked, err := proxy.Parse(call.Arguments)
	if err == nil {
		err = asked.Check(t.Method)
	}
	if err != nil {
		return request{}, argument.Invalid(err.Error())
	}
	below, query, err := asked.Target()
	if err != nil {
		return request{}, argument.Invalid(err.Error())
	}
	made := request{method: t.Method, path: on.below(below, call.Environment), query: query.Encode(), headers: asked.Headers}
	if on.shut(made.path, call.Environment) {
		return request{}, argument.Invalid("/endpoint: raw calls may not go there: what is answered there is a secret")
	}
	if len(asked.Body) == 0 {
		return made, nil
	}
	body, err := parseLayout(asked.Body)
	if err == nil {
		made.body, made.contentType, err = encodeBody(on.manifest.Body, body)
	}
	if err != nil {
		return request{}, argument.Invalid("/body: " + err.Error())
	}
	return made, nil
}

// below takes the part of a path off that all tools share: base URLs have it.
func (s *server) below(endpoint string, env events.Environment) string {
	base, err := url.Parse(cmp.Or(s.manifest.BaseURLs[env], s.manifest.BaseURLs[events.EnvironmentLive]))
	if err != nil {
		return endpoint
	}
	shared := strings.TrimSuffix(base.EscapedPath(), "/")
	if rest, ok := strings.CutPrefix(endpoint, shared); ok && strings.HasPrefix(rest, "/") {
		return rest
	}
	return endpoint
}

// shut reports whether a path below the shared one is closed to raw calls: by
// the manifest, or because tokens come from there.
func (s *server) shut(below string, env events.Environment) bool {
	for _, closed := range s.manifest.Closed {
		if within(below, closed) {
			return true
		}
	}
	base, ok := s.base(env)
	if !ok {
		return false // there is nothing to go to either
	}
	var addresses []string
	if s.manifest.Auth.Token != nil {
		addresses = append(addresses, s.tokenURL(base))
	}
	if s.manifest.Auth.Refresh != nil {
		addresses = append(addresses, s.refreshURL(base))
	}
	whole, err := pathOf(base + below)
	if err != nil {
		return true
	}
	for _, address := range addresses {
		if closed, err := pathOf(address); err != nil || within(whole, closed) {
			return true
		}
	}
	return false
}

func pathOf(address string) (string, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return "", errors.New("is no URL")
	}
	return parsed.Path, nil
}

// within reports whether a path is a closed one or below it. Case and a slash at
// the end make no difference: to some servers they do not.
func within(at, closed string) bool {
	plain, err := url.PathUnescape(at)
	if err != nil {
		return true
	}
	parts, shut := strings.Split(strings.ToLower(plain), "/"), strings.Split(strings.ToLower(closed), "/")
	if len(parts) < len(shut) {
		return false
	}
	matched, err := path.Match(strings.Join(shut, "/"), strings.Join(parts[:len(shut)], "/"))
	return matched || err != nil
}
