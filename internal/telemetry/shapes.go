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
// longer text it was encoded. The longest come first, so that none leaves a
// tail of another.
func Shapes(secret string) []string {
	quoted, err := json.Marshal(secret)
	if err != nil || len(quoted) < 2 { // A text always encodes.
		quoted = []byte(`""`)
	}
	inner := string(quoted[1 : len(quoted)-1])
	made := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), inner, strings.ReplaceAll(inner, "/", `\/`),
		lowerEscapes(url.QueryEscape(secret)), lowerEscapes(url.PathEscape(secret)),
	}
	if len(secret) >= encodable {
		inHex := hex.EncodeToString([]byte(secret))
		made = append(made, inHex, strings.ToUpper(inHex),
			base64.StdEncoding.EncodeToString([]byte(secret)), base64.URLEncoding.EncodeToString([]byte(secret)),
			base64.RawStdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)))
		for offset := range 3 {
			made = append(made, core(base64.StdEncoding, secret, offset), core(base64.URLEncoding, secret, offset))
		}
	}
	made = slices.DeleteFunc(made, func(shape string) bool { return shape == "" })
	slices.SortFunc(made, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(made)
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
