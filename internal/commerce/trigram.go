package commerce

import (
	"strings"
	"unicode"
)

// trigrams are the runs of three characters of a text's words, each word with
// two blanks before and one after it, as PostgreSQL's pg_trgm takes them: so
// that a word's beginning counts for more than its middle.
func trigrams(text string) map[string]bool {
	found := map[string]bool{}
	for word := range strings.FieldsFuncSeq(plain(text), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }) {
		padded := []rune("  " + word + " ")
		for i := range len(padded) - 2 {
			found[string(padded[i:i+3])] = true
		}
	}
	return found
}

// similarity is what share of a query's trigrams a text has, 0 to 1: a long
// description is no worse for what else it says.
func similarity(query, text map[string]bool) float64 {
	if len(query) == 0 {
		return 0
	}
	shared := 0
	for one := range query {
		if text[one] {
			shared++
		}
	}
	return float64(shared) / float64(len(query))
}

// plain is a text in lower case without accents, since descriptions are in
// English and people ask in Portuguese.
func plain(text string) string {
	return strings.NewReplacer(
		"á", "a", "à", "a", "â", "a", "ã", "a", "é", "e", "ê", "e", "í", "i", "ó", "o", "ô", "o", "õ", "o", "ú", "u", "ü", "u", "ç", "c",
	).Replace(strings.ToLower(text))
}
