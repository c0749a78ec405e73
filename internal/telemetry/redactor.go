package telemetry

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Redaction stands where a secret was.
const Redaction = "[redacted]"

// shortest is the length of the shortest secret that is looked for by value:
// removing a shorter one would shred ordinary text.
const shortest = 6

// form is what a secret looks like. The expression runs only where one of its
// hints occurs in the lower-cased text, which is rarely.
type form struct {
	hints       []string
	expression  *regexp.Regexp
	replacement string
}

// forms are the known ones. The order matters: what stands for a whole comes
// before what stands for a part of it.
var forms = []form{
	// Private keys in PEM, to their end or to the end of the text.
	newForm(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`, Redaction, "private key-----"),
	// Z-API keeps its credential in the path.
	newForm(`(?i)(/instances/)[^/\s"'?#]+(/token/)[^/\s"'?#]+`, "${1}"+Redaction+"${2}"+Redaction, "/token/"),
	// User and password of a URL. The password may hold "@".
	newForm(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/"'?#]+@`, "${1}"+Redaction+"@", "://"),
	// Authorization values, plain or escaped for a URL.
	newForm(`(?i)\b(bearer|basic)((?:\s|%20|\+|\\[nrt])+)[A-Za-z0-9+/=._~%|:$-]{6,}`, "${1}${2}"+Redaction, "bearer", "basic"),
	// Stripe, Feira and webhook signing secrets.
	newForm(`(?:c?sk|rk|pk)_(?:live|test)_[A-Za-z0-9_-]+`, Redaction, "k_live_", "k_test_"),
	newForm(`whsec_[A-Za-z0-9+/=_-]+`, Redaction, "whsec_"),
	// Asaas, with or without its dollar sign.
	newForm(`(?:\$|%24)?aact_[^\s"'<>,;]+`, Redaction, "aact_"),
	// OpenAI and its like: short ones where a word begins, long ones anywhere.
	newForm(`sk-[A-Za-z0-9_-]{20,}`, Redaction, "sk-"),
	newForm(`(^|[^A-Za-z0-9])sk-[A-Za-z0-9_-]{8,}`, "${1}"+Redaction, "sk-"),
	// JSON Web Tokens, whole or cut off.
	newForm(`eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,4}`, Redaction, "eyj"),
	// Seeds of NATS keys.
	newForm(`\bS[ACNOUX][A-Z2-7]{40,}`, Redaction, "sa", "sc", "sn", "so", "su", "sx"),
	// Parameters of addresses, too short to be looked for elsewhere.
	newForm(`(?i)([?&](?:key|sig|signature)=)[^&\s"']+`, "${1}"+Redaction, "key=", "sig"),
	// name=value and "name": "value", for names that say secret; the value may
	// be quoted, and the quotes escaped.
	newForm(`(?i)([A-Za-z0-9_.-]*(?:api[_-]?key|access[_-]?key|secret|token|authorization|passwd|password|credential)\\*["']?(?:\s*[:=]\s*|%3d))`+
		`(?:"(?:[^"\\]|\\.)*"?|\\+"[^"\\]*|'[^']*'?|[^\s"'&,;<>}\]\[\\]+)`,
		"${1}"+Redaction, "key", "secret", "token", "authorization", "passw", "credential"),
}

func newForm(expression, replacement string, hints ...string) form {
	return form{hints: hints, expression: regexp.MustCompile(expression), replacement: replacement}
}

func (f form) hinted(lower string) bool {
	for _, hint := range f.hints {
		if strings.Contains(lower, hint) {
			return true
		}
	}
	return false
}

// Redactor removes secrets from texts. The zero value knows the known forms
// alone. It is safe for concurrent use.
type Redactor struct {
	told *strings.Replacer
}

// NewRedactor returns a redactor that removes these secrets too, in all their
// [Shapes].
func NewRedactor(secrets ...string) *Redactor {
	var shapes []string
	for _, secret := range secrets {
		if len(secret) < shortest {
			continue
		}
		shapes = append(shapes, Shapes(secret)...)
	}
	if len(shapes) == 0 {
		return &Redactor{}
	}
	// The longest first, lest a secret that begins another leave its tail.
	slices.SortFunc(shapes, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(shapes))
	for _, shape := range shapes {
		pairs = append(pairs, shape, Redaction)
	}
	return &Redactor{told: strings.NewReplacer(pairs...)}
}

// Scrub returns text without secrets.
func (r *Redactor) Scrub(text string) string {
	if r != nil && r.told != nil {
		text = r.told.Replace(text)
	}
	return Scrub(text)
}

// Scrub returns text without secrets of the known forms.
func Scrub(text string) string {
	if len(text) < shortest {
		return text
	}
	lower := strings.ToLower(text)
	for _, form := range forms {
		if form.hinted(lower) {
			text = form.expression.ReplaceAllString(text, form.replacement)
		}
	}
	return text
}

// Sensitive reports whether values under this name are secrets by its looks.
// A number under a name that ends in "tokens" is not: it counts them.
func Sensitive(name string, number bool) bool {
	lower := strings.ToLower(name)
	for _, word := range []string{"secret", "password", "passwd", "authorization", "credential", "token"} {
		if strings.Contains(lower, word) {
			return !number || !strings.HasSuffix(lower, "tokens")
		}
	}
	words := strings.FieldsFunc(lower, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	return slices.ContainsFunc(words, func(word string) bool {
		return strings.HasSuffix(word, "key") || strings.HasSuffix(word, "keys")
	})
}
