package canary

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// shape is a secret in one form.
type shape struct {
	form string
	text string
}

// shapes are the forms of a secret, each text once: as it is, as it stands in a
// URL, and what programs make of either.
func shapes(secret string) []shape {
	var made []shape
	seen := map[string]bool{}
	add := func(form, text string) {
		if !seen[text] {
			seen[text] = true
			made = append(made, shape{form, text})
		}
	}
	add("plain", secret)
	for _, one := range urlForms(secret) {
		add(one.form, one.text)
		add(one.form+", lower case", lowerPercent(one.text))
	}
	for _, one := range slices.Clone(made) {
		encoded(one, add)
	}
	return made
}

func urlForms(text string) []shape {
	return []shape{{"query", url.QueryEscape(text)}, {"path", url.PathEscape(text)}, {"percent", percent(text)}}
}

// encoded adds what programs make of a text, in the middle of another.
func encoded(of shape, add func(form, text string)) {
	within := func(form string) string {
		if of.form == "plain" {
			return form
		}
		return form + " of " + of.form
	}
	for _, one := range urlForms(of.text) {
		add(within(one.form), one.text)
	}
	inJSON := jsonInner(of.text)
	add(within("JSON"), inJSON)
	add(within("JSON, slashes escaped"), strings.ReplaceAll(inJSON, "/", `\/`))
	add(within("JSON within JSON"), jsonInner(inJSON))
	add(within("JSON of JavaScript"), strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(inJSON))
	quoted := strconv.Quote(of.text)
	add(within("quoted"), quoted[1:len(quoted)-1])
	add(within("HTML"), html.EscapeString(of.text))
	add(within("hex"), hex.EncodeToString([]byte(of.text)))
	add(within("hex, upper case"), strings.ToUpper(hex.EncodeToString([]byte(of.text))))
	for offset := range 3 {
		add(within(fmt.Sprintf("base64 at %d", offset)), core(base64.StdEncoding, of.text, offset))
		add(within(fmt.Sprintf("base64url at %d", offset)), core(base64.URLEncoding, of.text, offset))
	}
}

// core is what base64 makes of a secret at an offset in a longer text, but for
// the letters that its neighbours have a part in.
func core(encoding *base64.Encoding, secret string, offset int) string {
	const bitsOfByte, bitsOfLetter = 8, 6
	encoded := encoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + secret))
	first := (offset*bitsOfByte + bitsOfLetter - 1) / bitsOfLetter
	return encoded[first : (offset+len(secret))*bitsOfByte/bitsOfLetter]
}

// percent escapes all but letters and digits.
func percent(secret string) string {
	var text strings.Builder
	for _, b := range []byte(secret) {
		if '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' {
			text.WriteByte(b)
			continue
		}
		_, _ = fmt.Fprintf(&text, "%%%02X", b)
	}
	return text.String()
}

func lowerPercent(text string) string {
	letters := []byte(text)
	for i := 0; i+2 < len(letters); i++ {
		if letters[i] == '%' {
			copy(letters[i+1:i+3], strings.ToLower(string(letters[i+1:i+3])))
		}
	}
	return string(letters)
}

// jsonInner is a text as it stands between the quotes of a JSON document.
func jsonInner(text string) string {
	data, err := json.Marshal(text)
	if err != nil { // A text always encodes.
		return text
	}
	return string(data[1 : len(data)-1])
}
