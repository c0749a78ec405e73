package provider

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	manifest "github.com/feira-dev/feira/schemas/provider"
)

//go:embed manifests
var embedded embed.FS

// embeddedOnce reads them at the first call: they are the same for as long as the
// program runs. What it returns is not changed by anybody.
var embeddedOnce = sync.OnceValues(func() ([]Manifest, error) {
	below, err := fs.Sub(embedded, "manifests")
	if err != nil {
		return nil, fmt.Errorf("opening manifests: %w", err)
	}
	return Load(below)
})

// Embedded are the manifests that come with the program, sorted by file name.
func Embedded() ([]Manifest, error) {
	read, err := embeddedOnce()
	own := slices.Clone(read)
	for i := range own {
		own[i].Tools = slices.Clone(own[i].Tools)
	}
	return own, err
}

// Load reads every *.yaml of a folder, each with its parts: the *.yaml of the
// folder of its name, which hold more of its tools. It joins the faults of all
// files, each an [ErrInvalidManifest].
func Load(folder fs.FS) ([]Manifest, error) {
	read, err := newReader(folder)
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
		one, err := read.manifest(name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		manifests = append(manifests, one)
	}
	return manifests, errors.Join(faults...)
}

// Check joins every fault that manifests have beyond their schema, each an
// [ErrInvalidManifest] that names server and tool.
func Check(manifests []Manifest) error {
	var faults []error
	seen := map[string]bool{}
	for _, one := range manifests {
		if seen[one.ID] {
			faults = append(faults, fmt.Errorf("%w: %s is there twice", ErrInvalidManifest, one.ID))
		}
		seen[one.ID] = true
		if _, err := compileServer(one, ""); err != nil {
			faults = append(faults, err)
		}
		for _, tool := range one.Tools {
			if _, err := tool.Returned(); err != nil {
				faults = append(faults, fmt.Errorf("%w: %s: tool %s: %w", ErrInvalidManifest, one.ID, tool.Name, err))
			}
		}
	}
	return errors.Join(faults...)
}

// reader reads the files of a folder.
type reader struct {
	folder      fs.FS
	whole, part *jsonschema.Schema
}

func newReader(folder fs.FS) (*reader, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(manifest.Schema()))
	if err != nil {
		return nil, fmt.Errorf("reading the schema of manifests: %w", err)
	}
	const name = "manifest.schema.json"
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(name, document); err != nil {
		return nil, fmt.Errorf("reading the schema of manifests: %w", err)
	}
	made := &reader{folder: folder}
	for at, into := range map[string]**jsonschema.Schema{"": &made.whole, "#/$defs/part": &made.part} {
		if *into, err = compiler.Compile(name + at); err != nil {
			return nil, fmt.Errorf("compiling the schema of manifests: %w", err)
		}
	}
	return made, nil
}

func (r *reader) manifest(name string) (Manifest, error) {
	var read Manifest
	if err := r.read(name, r.whole, &read); err != nil {
		return Manifest{}, err
	}
	id := strings.TrimSuffix(path.Base(name), ".yaml")
	if read.ID != id {
		return Manifest{}, fmt.Errorf("%w: %s: id is %q, which is not the file's name", ErrInvalidManifest, name, read.ID)
	}
	parts, err := fs.Glob(r.folder, id+"/*.yaml")
	if err != nil {
		return Manifest{}, fmt.Errorf("listing parts of %s: %w", name, err)
	}
	var faults []error
	for _, part := range parts {
		var more struct {
			Tools []ToolSpec `json:"tools"`
		}
		faults = append(faults, r.read(part, r.part, &more))
		read.Tools = append(read.Tools, more.Tools...)
	}
	if len(read.Tools) == 0 {
		faults = append(faults, fmt.Errorf("%w: %s: tools are missing", ErrInvalidManifest, name))
	}
	return read, errors.Join(faults...)
}

// read decodes a file that fits a schema.
func (r *reader) read(name string, schema *jsonschema.Schema, into any) error {
	content, err := fs.ReadFile(r.folder, name)
	if err != nil {
		return fmt.Errorf("reading manifest: %w", err)
	}
	if err := decode(content, schema, into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrInvalidManifest, name, err)
	}
	return nil
}

func decode(content []byte, schema *jsonschema.Schema, into any) error {
	text, err := yaml.YAMLToJSON(content)
	if err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	if err := schema.Validate(document); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
