package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/feira-dev/feira/internal/lifecycle"
)

// Role is a part of Feira that can be run, killed and scaled on its own.
type Role string

// Roles.
const (
	RoleGateway   Role = "gateway"
	RoleScheduler Role = "scheduler"
	RoleWorker    Role = "worker"
	RoleMeter     Role = "meter"
	RoleUpkeep    Role = "upkeep"
	RoleWebhooks  Role = "webhooks"
	RoleTriggers  Role = "triggers"
	RoleExporter  Role = "exporter"
)

// spec is what a role is: its name, what it does, and how its part is made
// from what a process shares.
type spec struct {
	role  Role
	does  string
	build func(ctx context.Context, k *kit) (lifecycle.Part, error)
}

// specs is the table of roles, in the order in which they start: what listens
// is up before what speaks, so that the scheduler hears a worker's first word.
func specs() []spec {
	return []spec{
		{RoleMeter, "writes usage and the ledger from the session logs", buildMeter},
		{RoleScheduler, "grants waiting requests fairly, one leader at a time", buildScheduler},
		{RoleUpkeep, "renews the tokens of accounts that nobody uses, polls providers that send no webhooks, and looks after those that stop", buildUpkeep},
		{RoleWebhooks, "routes providers' events to sessions and requests", buildWebhooks},
		{RoleTriggers, "tells tenants' endpoints what their agents did", buildTriggers},
		{RoleExporter, "tells other systems of usage", buildExporter},
		{RoleWorker, "runs the agents of granted requests", buildWorker},
		{RoleGateway, "serves the HTTP API", buildGateway},
	}
}

// AllRoles lists every role.
func AllRoles() []Role {
	var roles []Role
	for _, s := range specs() {
		roles = append(roles, s.role)
	}
	return roles
}

// ParseRoles reads the names of roles; "all" is every role.
func ParseRoles(names []string) ([]Role, error) {
	if slices.Contains(names, "all") {
		return AllRoles(), nil
	}
	known := AllRoles()
	var roles []Role
	for _, name := range names {
		role := Role(name)
		if !slices.Contains(known, role) {
			return nil, fmt.Errorf("unknown role %q: want one or more of all, %s", name, join(known))
		}
		if !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	return roles, nil
}

// RoleHelp says in a line what each role does.
func RoleHelp() string {
	var lines []string
	for _, s := range specs() {
		lines = append(lines, string(s.role)+": "+s.does)
	}
	return strings.Join(lines, "; ")
}

func join(roles []Role) string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	return strings.Join(names, ", ")
}
