package provider

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	manifest "github.com/feira-dev/feira/schemas/provider"
)

//go:embed manifests/*.yaml
var embedded embed.FS

// Embedded are the manifests that come with the program, sorted by file name.
func Embedded() ([]Manifest, error) {
	below, err := fs.Sub(embedded, "manifests")
	if err != nil {
		return nil, fmt.Errorf("opening manifests: %w", err)
	}
	return Load(below)
}

// Load reads every *.yaml of a folder. It joins the faults of all files, each an
// [ErrInvalidManifest].
func Load(folder fs.FS) ([]Manifest, error) {
	schema, err := compileManifestSchema()
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(folder, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("listing manifests: %w", err)
	}
	var faults []error
	manifests := make([]Manifest, 0, len(names))
	for _, name := range names {
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, fmt.Errorf("reading manifest: %w", err)
		}
		read, err := parseManifest(schema, content)
		if err == nil && read.ID != strings.TrimSuffix(path.Base(name), ".yaml") {
			err = fmt.Errorf("id is %q, which is not the file's name", read.ID)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%w: %s: %w", ErrInvalidManifest, name, err))
			continue
		}
		manifests = append(manifests, read)
	}
	return manifests, errors.Join(faults...)
}

func compileManifestSchema() (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(manifest.Schema()))
	if err != nil {
		return nil, fmt.Errorf("reading the schema of manifests: %w", err)
	}
	const name = "manifest.schema.json"
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(name, document); err != nil {
		return nil, fmt.Errorf("reading the schema of manifests: %w", err)
	}
	schema, err := compiler.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("compiling the schema of manifests: %w", err)
	}
	return schema, nil
}

func parseManifest(schema *jsonschema.Schema, content []byte) (Manifest, error) {
	text, err := yaml.YAMLToJSON(content)
	if err != nil {
		return Manifest{}, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return Manifest{}, err
	}
	if err := schema.Validate(document); err != nil {
		return Manifest{}, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var read Manifest
	if err := decoder.Decode(&read); err != nil {
		return Manifest{}, err
	}
	return read, nil
}
