package commerce

import (
	"slices"
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

// narrowness is what share of a text's trigrams a query has: of two texts that
// say all of it, the one that says less else is the nearer.
func narrowness(query, text map[string]bool) float64 {
	return similarity(text, query)
}

// english are the words of commerce by which people ask in Portuguese, without
// accents; a word's beginning is enough where its endings are many.
func english() [][2]string {
	return [][2]string{
		{"cobr", "charge"},
		{"pagador", "payer"},
		{"pagament", "payment"},
		{"pag", "pay transfer"},
		{"transfer", "transfer"},
		{"reembols", "refund"},
		{"estorn", "refund"},
		{"devolv", "refund"},
		{"rastre", "track"},
		{"encomend", "parcel package"},
		{"pacote", "package"},
		{"frete", "shipping"},
		{"etiqueta", "label"},
		{"entreg", "delivery"},
		{"prazo", "delivery time"},
		{"cota", "quote calculate"},
		{"calcul", "calculate"},
		{"nota", "invoice"},
		{"emit", "issue"},
		{"cliente", "customer"},
		{"enviar", "send"},
		{"envi", "send ship"},
		{"mensage", "message"},
		{"avis", "notify message"},
		{"assinatura", "subscription"},
		{"cancel", "cancel"},
		{"saldo", "balance"},
		{"endereco", "address"},
		{"cartao", "card"},
		{"fornecedor", "receiver"},
		{"compr", "buy"},
		{"list", "list"},
		{"consult", "look up read"},
		{"empresa", "company"},
		{"produto", "product"},
		{"servico", "service"},
	}
}

// translated is a query with the words that are known in English.
func translated(query string) string {
	words := strings.FieldsFunc(plain(query), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	for i, word := range words {
		for _, entry := range english() {
			if strings.HasPrefix(word, entry[0]) && !strings.HasPrefix(word, entry[1]) {
				words[i] = entry[1]
				break
			}
		}
	}
	return strings.Join(slices.DeleteFunc(words, isFiller), " ")
}

// isFiller tells the words that say nothing of what is to be done.
func isFiller(word string) bool {
	return slices.Contains([]string{
		"a", "an", "the", "to", "of", "by", "for", "with", "in", "on", "and", "my", "o", "os", "as", "um", "uma", "de", "do", "da", "dos", "das", "com", "para",
		"por", "em", "no", "na", "e", "meu", "minha",
	}, word)
}

// plain is a text in lower case without accents, since descriptions are in
// English and people ask in Portuguese.
func plain(text string) string {
	return strings.NewReplacer(
		"á", "a", "à", "a", "â", "a", "ã", "a", "é", "e", "ê", "e", "í", "i", "ó", "o", "ô", "o", "õ", "o", "ú", "u", "ü", "u", "ç", "c",
	).Replace(strings.ToLower(text))
}
