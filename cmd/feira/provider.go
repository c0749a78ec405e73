package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/provider"
)

// providerCommand is "feira provider". It asks no broker: what it tells stands
// in manifests.
type providerCommand struct {
	List  providerList  `cmd:"" help:"List the providers whose tools come with this program."`
	Check providerCheck `cmd:"" help:"Check the manifests of this program, or those of a folder."`
}

type providerList struct {
	Tools bool `help:"List each tool with its safety and what it puts at stake."`
}

// providerEntry is a provider as it is listed.
type providerEntry struct {
	Name         string      `json:"name"`
	Title        string      `json:"title"`
	Environments []string    `json:"environments"`
	Auth         string      `json:"auth"`
	Tools        int         `json:"tools"`
	Catalogue    []toolEntry `json:"catalogue,omitempty"`
}

type toolEntry struct {
	// Name is the one that a model sees.
	Name   string `json:"name"`
	Safety string `json:"safety"`
	// Stakes are empty where nothing is lost that cannot be mended.
	Stakes      string `json:"stakes,omitempty"`
	Description string `json:"description"`
}

func (c *providerList) Run(i *invocation) error {
	manifests, err := provider.Embedded()
	if err != nil {
		return err
	}
	total := 0
	entries := make([]providerEntry, 0, len(manifests))
	for _, manifest := range manifests {
		entries = append(entries, c.entry(manifest))
		total += len(manifest.Tools)
	}
	return i.show(map[string]any{"providers": entries, "tools": total}, func(w io.Writer) {
		if c.Tools {
			writeTable(w, toolColumns(), slices.Concat(catalogues(entries)...))
			return
		}
		writeTable(w, providerColumns(), entries)
		say(w, "total\t\t\t%d", total)
	})
}

func (c *providerList) entry(manifest provider.Manifest) providerEntry {
	entry := providerEntry{Name: manifest.ID, Title: manifest.Name, Auth: string(manifest.Auth.Kind), Tools: len(manifest.Tools)}
	for _, environment := range slices.Sorted(maps.Keys(manifest.BaseURLs)) {
		entry.Environments = append(entry.Environments, string(environment))
	}
	if !c.Tools {
		return entry
	}
	for _, tool := range manifest.Tools {
		entry.Catalogue = append(entry.Catalogue, toolEntry{
			Name: agent.ToolName(manifest.ID, tool.Name), Safety: string(tool.Safety), Stakes: string(tool.Stakes), Description: tool.Description,
		})
	}
	return entry
}

func catalogues(entries []providerEntry) [][]toolEntry {
	lists := make([][]toolEntry, 0, len(entries))
	for _, entry := range entries {
		lists = append(lists, entry.Catalogue)
	}
	return lists
}

func providerColumns() []column[providerEntry] {
	return []column[providerEntry]{
		{"PROVIDER", func(e providerEntry) string { return e.Name }},
		{"ENVIRONMENTS", func(e providerEntry) string { return strings.Join(e.Environments, " ") }},
		{"AUTH", func(e providerEntry) string { return e.Auth }},
		{"TOOLS", func(e providerEntry) string { return strconv.Itoa(e.Tools) }},
	}
}

func toolColumns() []column[toolEntry] {
	return []column[toolEntry]{
		{"TOOL", func(e toolEntry) string { return e.Name }},
		{"SAFETY", func(e toolEntry) string { return e.Safety }},
		{"STAKES", func(e toolEntry) string { return e.Stakes }},
	}
}

type providerCheck struct {
	Dir string `arg:"" optional:"" type:"existingdir" help:"Folder of manifests. Defaults to those that come with this program."`
}

// Run joins every fault of every manifest: those that the schema finds do not
// hide those of the files that it finds sound.
func (c *providerCheck) Run(i *invocation) error {
	var (
		manifests []provider.Manifest
		err       error
	)
	if c.Dir == "" {
		manifests, err = provider.Embedded()
	} else {
		manifests, err = provider.Load(os.DirFS(c.Dir))
	}
	if err = errors.Join(err, provider.Check(manifests)); err != nil {
		return err
	}
	if len(manifests) == 0 {
		return fmt.Errorf("there is no manifest (*.yaml) in %s", c.Dir)
	}
	tools := 0
	for _, manifest := range manifests {
		tools += len(manifest.Tools)
	}
	return i.show(map[string]any{"ok": true, "providers": len(manifests), "tools": tools}, func(w io.Writer) {
		say(w, "%d providers with %d tools are sound", len(manifests), tools)
	})
}
