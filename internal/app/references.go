package app

import (
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/commerce"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/webhook"
	"github.com/feira-dev/feira/workers/webhooks"
)

// referrers says which references a call leaves with servers whose events tell
// them again: by the manifests, and of Feira's own tools by their recipes.
func referrers() (func(server, tool, key string) []webhooks.Reference, error) {
	manifests, err := provider.Embedded()
	if err != nil {
		return nil, err
	}
	traced := map[[2]string]bool{}
	for _, manifest := range manifests {
		for _, tool := range manifest.Tools {
			traced[[2]string{manifest.ID, tool.Name}] = webhook.Refers(manifest.ID) && tool.Traced()
		}
	}
	return func(server, tool, key string) []webhooks.Reference {
		if server != agent.OwnServer {
			if traced[[2]string{server, tool}] {
				return []webhooks.Reference{{Server: server, Text: key}}
			}
			return nil
		}
		var found []webhooks.Reference
		for _, one := range commerce.References(tool, key) {
			found = append(found, webhooks.Reference(one))
		}
		return found
	}, nil
}
