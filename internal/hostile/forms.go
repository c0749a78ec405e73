package hostile

import "regexp"

// Redacted stands in the place of a secret.
const Redacted = "[redacted]"

// secretForms are what the providers' secrets look like, wherever they come from.
const secretForms = `(?:sk|rk)_(?:live|test)_[A-Za-z0-9_]+` + // Stripe keys
	`|whsec_[A-Za-z0-9+/=_-]+` + // webhook secrets
	`|csk_(?:live|test)_[A-Za-z0-9_-]+` + // our own API keys
	`|\$aact_[A-Za-z0-9_:.=+/$-]+` + // Asaas keys
	`|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*` + // JWTs
	`|(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{16,}` +
	`|(?i:/instances/[^/\s"]+/token/[^/\s"]+)` // Z-API carries its token in the path

var formPattern = regexp.MustCompile(secretForms)

// ScrubForms removes whatever looks like a secret.
func ScrubForms(text string) string { return formPattern.ReplaceAllLiteralString(text, Redacted) }
