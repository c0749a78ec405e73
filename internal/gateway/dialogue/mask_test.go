package dialogue_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Mask gives what is drawn at random names that stay: the first session that a
// script meets is {ses.1}, wherever it stands. It belongs to one goroutine.
type Mask struct {
	names map[string]string // text to name
	texts map[string]string // name to text
	count map[string]int
}

// NewMask makes a mask that knows some things by name already.
func NewMask(known map[string]string) *Mask {
	m := &Mask{names: map[string]string{}, texts: map[string]string{}, count: map[string]int{}}
	for name, text := range known {
		m.names[text], m.texts["{"+name+"}"] = "{"+name+"}", text
	}
	return m
}

// rule says what is masked: the first group of a pattern, or all of it.
type rule struct {
	kind    string
	pattern *regexp.Regexp
	// fixed stands for whatever matches, where nothing refers to it.
	fixed string
}

func rules() []rule {
	named := func(kind, pattern string) rule { return rule{kind: kind, pattern: regexp.MustCompile(pattern)} }
	fixed := func(name, pattern string) rule { return rule{fixed: name, pattern: regexp.MustCompile(pattern)} }
	return []rule{
		named("exchange", `(?m)^X-Request-Id: (req_[0-9a-z]+)$`),
		named("csk", `\bcsk_(?:live|test)_[0-9A-Za-z]{20,}`),
		named("prefix", `\bcsk_(?:live|test)_[0-9A-Za-z]+`),
		named("trg", `\btrg_[0-9a-z]{20,}`),
		named("msg", `\bmsg_[0-9a-f]{32}`),
		named("ses", `\bses_[0-9a-z]+`),
		named("mcs", `\bmcs_[0-9a-z]+`),
		named("tc", `\btc_[0-9a-zA-Z]+`),
		named("upstream", `"request-id":"(req_[0-9A-Za-z]+)"`),
		named("cus", `\bcus_[0-9A-Za-z]{14}\b`),
		fixed("{unix}", `"created":(\d+)`),
		named("req", `\b(?:req|idk)_[0-9a-z]{10,}`),
		named("id", `\bkey_[0-9A-Za-z]{20}`),
		named("ca", `\bca_[0-9a-z]{20,}`),
		named("whsec", `\bwhsec_[0-9A-Za-z+/=_-]{20,}`),
		named("sent", `\bfeira_[0-9a-f]{40}\b`),
		named("intent", `\b(?:pi|ch)_[0-9A-Za-z_]{20,}`),
		named("link", `\blnk_[0-9A-Z]+`),
		fixed("{port}", `127\.0\.0\.1(?::|%3A)(\d+)`),
		named("cursor", `"next_cursor":"([^"]+)"`),
		named("before", `"next_before":"([^"]+)"`),
		named("event", `(?m)^id: (\S+)$`),
		fixed("{time}", `\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`),
		fixed("{issued}", `"issued_at": ?"([^"]+)"`),
		fixed("{ms}", `"duration(?:_ms)?":(\d+)`),
		fixed("{n}", `(?m)^Ratelimit-(?:Remaining|Reset): (\d+)$`),
	}
}

// Hide puts names in the place of texts.
func (m *Mask) Hide(text string) string {
	for _, rule := range rules() {
		text = replaceGroup(rule.pattern, text, func(found string) string {
			if rule.fixed != "" {
				return rule.fixed
			}
			return m.name(rule.kind, found)
		})
	}
	return text
}

var namePattern = regexp.MustCompile(`\{[a-z]+\.[0-9]+\}`)

var longPattern = regexp.MustCompile(`\{x\*([0-9]+)\}`)

// Show puts texts in the place of names, and as many letters as it says in the
// place of {x*100}.
func (m *Mask) Show(text string) (string, error) {
	for name, real := range m.texts {
		text = strings.ReplaceAll(text, name, real)
	}
	if unknown := namePattern.FindString(text); unknown != "" {
		return "", fmt.Errorf("nothing has been seen that is called %s", unknown)
	}
	return longPattern.ReplaceAllStringFunc(text, func(found string) string {
		n, _ := strconv.Atoi(longPattern.FindStringSubmatch(found)[1]) // digits
		return strings.Repeat("x", n)
	}), nil
}

func (m *Mask) name(kind, text string) string {
	if name, known := m.names[text]; known {
		return name
	}
	m.count[kind]++
	name := fmt.Sprintf("{%s.%d}", kind, m.count[kind])
	m.names[text], m.texts[name] = name, text
	return name
}

// replaceGroup replaces the last group of each match; all of it where there is none.
func replaceGroup(pattern *regexp.Regexp, text string, with func(string) string) string {
	var out strings.Builder
	at := 0
	for _, found := range pattern.FindAllStringSubmatchIndex(text, -1) {
		from, to := found[len(found)-2], found[len(found)-1]
		out.WriteString(text[at:from])
		out.WriteString(with(text[from:to]))
		at = to
	}
	out.WriteString(text[at:])
	return out.String()
}
