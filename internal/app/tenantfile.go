package app

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"

	"github.com/feira-dev/feira/internal/tenant"
)

// ParseTenants reads a tenants file: YAML with a list "tenants". Fields that
// nobody knows are refused, so that a misspelt limit is not silently unlimited.
func ParseTenants(text []byte) ([]tenant.Tenant, error) {
	var file struct {
		Tenants []tenant.Tenant `yaml:"tenants"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("reading tenants: %w", err)
	}
	if len(file.Tenants) == 0 {
		return nil, errors.New("reading tenants: field tenants is empty")
	}
	var faults []error
	for i := range file.Tenants {
		file.Tenants[i] = file.Tenants[i].WithDefaults()
		if err := file.Tenants[i].Validate(); err != nil {
			faults = append(faults, fmt.Errorf("tenants[%d]: %w", i, err))
		}
	}
	return file.Tenants, errors.Join(faults...)
}
