package planner

import (
	"regexp"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
)

// order is what a caller's text says, as far as it was understood.
type order struct {
	text      string
	intents   []intent
	amount    brazil.Cents // 0 when there is none
	from, to  string       // postal codes
	taxpayer  string       // a CPF or CNPJ, digits
	phone     string       // digits with the country code
	email     string
	name      string
	reference string // the caller's own number of the order
	grams     int
}

// What is looked for in a text.
var (
	amountPattern    = regexp.MustCompile(`(?i)(?:R\$|BRL)\s*([0-9][0-9.,]{0,17})`)
	reaisPattern     = regexp.MustCompile(`(?i)([0-9][0-9.,]{0,17})\s*(?:reais|BRL)`)
	cepPattern       = regexp.MustCompile(`(?i)(\b(?:from|de|origem|origin)\s+(?:the\s+)?(?:CEP:?\s*)?|CEP:?\s*)?\b([0-9]{5}-?[0-9]{3})\b`)
	taxpayerPattern  = regexp.MustCompile(`\b(?:[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}|[0-9]{2}\.?[0-9]{3}\.?[0-9]{3}/?[0-9]{4}-?[0-9]{2})\b`)
	phonePattern     = regexp.MustCompile(`(?i)(?:(?:phone|tel(?:efone)?|fone|whats(?:app)?|celular|number)\.?:?\s*|\+)([0-9+()][0-9 ()-]{8,18}[0-9])|\b(55[1-9][0-9]{9,10})\b`)
	emailPattern     = regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}`)
	namePattern      = regexp.MustCompile(`(?:\b[Ff]or|\b[Tt]o|[Cc]ustomer|[Cc]lient[e]?|\b[Pp]ara|\b[Nn]otify|\b[Aa]vis(?:e|ar)|\b[Cc]harge|\b[Cc]obr(?:e|ar)|\b[Dd][eao]):?\s+(?:a\s+|o\s+)?(\p{Lu}\p{Ll}+(?:\s+(?:d[aeo]s?\s+)?\p{Lu}\p{Ll}+)+)`)
	referencePattern = regexp.MustCompile(`(?i)\b(?:order|pedido|ref(?:erence)?)\s*[:#nº°]*\s*([A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*)`)
	weightPattern    = regexp.MustCompile(`(?i)\b([0-9]{1,2})(?:[.,]([0-9]))?\s*kg\b`)
)

// defaultGrams is what a parcel weighs when nobody says.
const defaultGrams = 500

func readOrder(text string) order {
	o := order{text: text, intents: recogniseIntents(text), grams: defaultGrams}
	o.email = emailPattern.FindString(text)
	if match := namePattern.FindStringSubmatch(text); match != nil {
		o.name = strings.Join(strings.Fields(match[1]), " ")
	}
	if match := referencePattern.FindStringSubmatch(text); match != nil {
		o.reference = match[1]
	}
	if match := weightPattern.FindStringSubmatch(text); match != nil {
		o.grams = int(number(match[1])*1000 + number(match[2])*100)
	}
	for _, pattern := range []*regexp.Regexp{amountPattern, reaisPattern} {
		if match := pattern.FindStringSubmatch(text); match != nil && o.amount == 0 {
			o.amount = readAmount(match[1])
		}
	}
	o.readNumbers(text)
	return o
}

// readNumbers finds the numbers that could be taken for each other, the ones
// that check first, and takes each out of the text.
func (o *order) readNumbers(text string) {
	text = amountPattern.ReplaceAllString(text, " ")
	text = taxpayerPattern.ReplaceAllStringFunc(text, func(found string) string {
		if o.taxpayer != "" || !brazil.IsTaxpayer(found) {
			return found
		}
		o.taxpayer = brazil.Digits(found)
		return " "
	})
	if match := phonePattern.FindStringSubmatch(text); match != nil {
		o.phone = brazil.Digits(match[1] + match[2])
		if len(o.phone) == 10 || len(o.phone) == 11 {
			o.phone = "55" + o.phone
		}
		text = strings.Replace(text, match[0], " ", 1)
	}
	o.readCEPs(text)
}

// readCEPs takes a code after "from" as the origin, and of two bare ones the first.
func (o *order) readCEPs(text string) {
	var bare []string
	for _, match := range cepPattern.FindAllStringSubmatch(text, -1) {
		word := strings.ToLower(match[1])
		cep, err := brazil.ParseCEP(match[2])
		switch {
		case err != nil || word == "" && !strings.Contains(match[2], "-"):
		case o.from == "" && word != "" && !strings.HasPrefix(word, "cep"):
			o.from = cep
		default:
			bare = append(bare, cep)
		}
	}
	if o.from == "" && len(bare) > 1 {
		o.from, bare = bare[0], bare[1:]
	}
	if len(bare) > 0 {
		o.to = bare[0]
	}
}

// readAmount reads "150,00", "150.00", "1.234,56" and "1500": a separator is the
// decimal one when one or two digits follow it to the end.
func readAmount(text string) brazil.Cents {
	text = strings.TrimRight(text, ".,")
	whole, decimals := text, ""
	if at := strings.LastIndexAny(text, ".,"); at >= 0 && len(text)-at <= 3 {
		whole, decimals = text[:at], "."+text[at+1:]
	}
	amount, err := brazil.ParseCents(brazil.Digits(whole) + decimals)
	if err != nil {
		return 0
	}
	return amount
}

func number(digits string) int64 {
	var n int64
	for _, digit := range digits {
		n = n*10 + int64(digit-'0')
	}
	return n
}
