package telemetry

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// encodable is the length of the shortest secret that is looked for in base64
// and hex too: less of it would be found in ordinary text.
const encodable = 8

// Shapes are a secret as it is, and as programs write it down: escaped for a
// URL or for JSON, in hex, and in base64 of either alphabet, wherever in a
// longer text it was encoded; and what they make of it where it was escaped
// for a URL before. The longest come first, so that none leaves a tail of
// another.
func Shapes(secret string) []string {
	var made []string
	for _, written := range []string{secret, url.PathEscape(secret), url.QueryEscape(secret)} {
		made = append(made, encodings(written)...)
	}
	slices.SortFunc(made, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(made)
}

func encodings(text string) []string {
	quoted, err := json.Marshal(text)
	if err != nil { // A text always encodes.
		return []string{text}
	}
	inner := string(quoted[1 : len(quoted)-1])
	made := []string{
		text, inner, strings.ReplaceAll(inner, "/", `\/`), url.QueryEscape(text), url.PathEscape(text),
		lowerEscapes(text), lowerEscapes(url.QueryEscape(text)), lowerEscapes(url.PathEscape(text)),
	}
	if len(text) < encodable {
		return made
	}
	inHex := hex.EncodeToString([]byte(text))
	made = append(made, inHex, strings.ToUpper(inHex),
		base64.StdEncoding.EncodeToString([]byte(text)), base64.URLEncoding.EncodeToString([]byte(text)),
		base64.RawStdEncoding.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString([]byte(text)))
	for offset := range 3 {
		made = append(made, core(base64.StdEncoding, text, offset), core(base64.URLEncoding, text, offset))
	}
	return made
}

// core is what base64 makes of a secret at an offset in a longer text, but for
// the letters that its neighbours have a part in.
func core(encoding *base64.Encoding, secret string, offset int) string {
	encoded := encoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + secret))
	return encoded[(offset*8+5)/6 : (offset+len(secret))*8/6]
}

// lowerEscapes writes "%2F" as "%2f".
func lowerEscapes(text string) string {
	letters := []byte(text)
	for i := 0; i+2 < len(letters); i++ {
		if letters[i] == '%' {
			copy(letters[i+1:i+3], strings.ToLower(text[i+1:i+3]))
		}
	}
	return string(letters)
}
