package planner

import "regexp"

// intent is a thing that a caller may want.
type intent string

// Intents, in the order in which they are seen to.
const (
	intentCharge  intent = "charge"
	intentShip    intent = "ship"
	intentInvoice intent = "invoice"
	intentNotify  intent = "notify"
	intentQuote   intent = "quote"
	intentTrack   intent = "track"
	intentBalance intent = "balance"
	intentRefund  intent = "refund"
)

// sign is how an intent shows. What is weak counts only in a text that does
// not ask for information or for a refund: "the status of my payment" charges
// nobody.
type sign struct {
	intent       intent
	strong, weak *regexp.Regexp
}

var (
	chargeStrong  = regexp.MustCompile(`(?i)\b(?:charge|cobr(?:e|ar|a)|bill)\b`)
	chargeWeak    = regexp.MustCompile(`(?i)\b(?:pay|payment|pix|boleto|paga(?:r|mento)?)\b`)
	shipStrong    = regexp.MustCompile(`(?i)\b(?:ship|despach(?:e|ar)|post(?:e|ar)|envi(?:e|ar)|entreg(?:ue|ar)|deliver)\b`)
	shipWeak      = regexp.MustCompile(`(?i)\b(?:shipment|shipping|frete|envio|entrega|delivery|etiqueta|label)\b`)
	invoiceStrong = regexp.MustCompile(`(?i)\b(?:issue|emit(?:a|ir)|fatur(?:e|ar))\b`)
	invoiceWeak   = regexp.MustCompile(`(?i)\b(?:invoice|nota fiscal|nfs?-?e|nota)\b`)
	notifyStrong  = regexp.MustCompile(`(?i)\b(?:notify|message|mensagem|whatsapp (?:her|him|them)|avis(?:e|ar|a)|notifi(?:que|car)|tell (?:her|him|them)|text (?:her|him|them))\b`)
	quotePattern  = regexp.MustCompile(`(?i)\b(?:quote|cota(?:r|ção)?|how much|quanto custa|calcul(?:ate|ar|e))\b`)
	trackPattern  = regexp.MustCompile(`(?i)\b(?:track(?:ing)?|rastre(?:ar|ie|io)|status|where is|onde est[áa])\b`)
	balancePat    = regexp.MustCompile(`(?i)\b(?:balance|saldo)\b`)
	refundPattern = regexp.MustCompile(`(?i)\b(?:refund|reembols(?:o|e|ar)|estorn(?:o|e|ar)|devolv(?:a|er))\b`)
	sendMessage   = regexp.MustCompile(`(?i)\benvi(?:e|ar)\s+(?:a\s+|uma\s+|um\s+)?(mensagem|whatsapp|aviso)`)
)

func signs() []sign {
	return []sign{
		{intentCharge, chargeStrong, chargeWeak},
		{intentShip, shipStrong, shipWeak},
		{intentInvoice, invoiceStrong, invoiceWeak},
		{intentNotify, notifyStrong, nil},
		{intentQuote, quotePattern, nil},
		{intentTrack, trackPattern, nil},
		{intentBalance, balancePat, nil},
		{intentRefund, refundPattern, nil},
	}
}

func recogniseIntents(text string) []intent {
	text = emailPattern.ReplaceAllString(text, " ")
	text = sendMessage.ReplaceAllString(text, "mensagem")
	asks := false
	for _, pattern := range []*regexp.Regexp{quotePattern, trackPattern, balancePat, refundPattern} {
		asks = asks || pattern.MatchString(text)
	}
	var found []intent
	for _, s := range signs() {
		weak := s.weak != nil && !asks && s.weak.MatchString(text)
		if weak || s.strong.MatchString(text) {
			found = append(found, s.intent)
		}
	}
	return found
}
