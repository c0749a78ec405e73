package canary

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
)

// shape is a secret in one form.
type shape struct {
	form string
	text string
}

// shapes are the forms of a secret, each text once. Those that say the same as
// an earlier one are left out.
func shapes(secret string) []shape {
	made := []shape{{"plain", secret}}
	seen := map[string]bool{secret: true}
	add := func(form, text string) {
		if !seen[text] {
			seen[text] = true
			made = append(made, shape{form, text})
		}
	}
	for form, text := range map[string]string{
		"query": url.QueryEscape(secret), "path": url.PathEscape(secret), "percent": percent(secret),
	} {
		add(form, text)
		add(form+", lower case", lowerPercent(text))
		add(form+", twice", url.QueryEscape(text))
	}
	inJSON := jsonInner(secret)
	add("JSON", inJSON)
	add("JSON, slashes escaped", strings.ReplaceAll(inJSON, "/", `\/`))
	add("JSON within JSON", jsonInner(inJSON))
	add("JSON of JavaScript", strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(inJSON))
	add("quoted", strings.Trim(strconv.Quote(secret), `"`))
	add("HTML", html.EscapeString(secret))
	add("hex", hex.EncodeToString([]byte(secret)))
	add("hex, upper case", strings.ToUpper(hex.EncodeToString([]byte(secret))))
	for offset := range 3 {
		add(fmt.Sprintf("base64 at %d", offset), core(base64.StdEncoding, secret, offset))
		add(fmt.Sprintf("base64url at %d", offset), core(base64.URLEncoding, secret, offset))
	}
	return made
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
