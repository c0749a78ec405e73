package events

import "strings"

// spacer stands where runs have their tenant; no tenant can have its name.
const spacer = "_spacer"

// SubjectAllSpacers takes in all spacers. They lie among the runs, and are none:
// a scheduler that begins to lead moves the stream's last sequence on by them,
// past all that its predecessor may still expect it to be.
const SubjectAllSpacers = root + ".runs." + spacer + ".*"

// SpacerSubject is where one spacer lies. The token is its own.
func SpacerSubject(token string) string { return root + ".runs." + spacer + "." + token }

// IsSpacer tells a spacer's subject from a run's.
func IsSpacer(subject string) bool { return strings.HasPrefix(subject, root+".runs."+spacer+".") }
