package events

import "strings"

// decodeUsage reads an event of USAGE as [Encode] writes it, at a tenth of what
// the JSON package takes. It says no, with the event as it was or in part, to
// all that is not exactly so (escapes, characters beyond ASCII, spaces, fields
// unknown, missing or twice, numbers of another form) and leaves it to the JSON
// package, which has the last word on what is malformed.
func decodeUsage(data []byte, into *UsageRecorded) bool {
	text := scan{rest: string(data)} // what is read are parts of this one string
	return text.usage(into) && text.rest == ""
}

// scan is a text that is read from its beginning. Its methods say whether what
// they are for was there.
type scan struct{ rest string }

func (s *scan) take(token string) bool {
	rest, ok := strings.CutPrefix(s.rest, token)
	s.rest = rest
	return ok
}

// usage reads the fields in the order of the struct.
func (s *scan) usage(into *UsageRecorded) bool {
	ok := s.take(`{"meter":`) && scanText(s, &into.Meter) &&
		s.take(`,"session":`) && scanText(s, &into.Session) &&
		s.take(`,"request":`) && scanText(s, &into.Request) &&
		(!s.take(`,"server":`) || scanText(s, &into.Server)) &&
		(!s.take(`,"tool":`) || scanText(s, &into.Tool)) &&
		(!s.take(`,"model":`) || scanText(s, &into.Model)) &&
		s.take(`,"outcome":`) && scanText(s, &into.Outcome) &&
		s.take(`,"billable":`) && s.flag(&into.Billable) &&
		s.take(`,"environment":`) && scanText(s, &into.Environment) &&
		s.take(`,"quantities":[`) && s.quantities(&into.Quantities)
	if !ok {
		return false
	}
	var attempts int64
	ok = s.take(`,"attempts":`) && s.count(&attempts) && s.take(`,"duration_ms":`) && s.count(&into.DurationMS)
	into.Attempts = int(attempts)
	return ok && (!s.take(`,"metadata":{`) || s.pairs(&into.Metadata)) && s.take("}")
}

// scanText reads a quoted text of ASCII without escapes.
func scanText[T ~string](s *scan, into *T) bool {
	if !s.take(`"`) {
		return false
	}
	for i := range len(s.rest) {
		switch letter := s.rest[i]; {
		case letter == '"':
			*into, s.rest = T(s.rest[:i]), s.rest[i+1:]
			return true
		case letter < ' ', letter == '\\', letter >= 0x80:
			return false
		}
	}
	return false
}

func (s *scan) flag(into *bool) bool {
	*into = s.take("true")
	return *into || s.take("false")
}

// scanDigits is how many digits every 32 bits of a number have.
const scanDigits = 9

// count reads a number of few digits that is not negative.
func (s *scan) count(into *int64) bool {
	digits := 0
	for digits < len(s.rest) && s.rest[digits] >= '0' && s.rest[digits] <= '9' {
		*into = *into*10 + int64(s.rest[digits]-'0')
		if digits++; digits > scanDigits {
			return false
		}
	}
	if digits == 0 || digits > 1 && s.rest[0] == '0' {
		return false
	}
	s.rest = s.rest[digits:]
	return true
}

// quantities reads a list behind its bracket.
func (s *scan) quantities(into *[]Quantity) bool {
	*into = make([]Quantity, 0, 2)
	if s.take("]") {
		return true
	}
	for {
		var quantity Quantity
		if !s.take(`{"unit":`) || !scanText(s, &quantity.Unit) || !s.take(`,"amount":`) || !scanText(s, &quantity.Amount) || !s.take("}") {
			return false
		}
		*into = append(*into, quantity)
		if s.take("]") {
			return true
		}
		if !s.take(",") {
			return false
		}
	}
}

// pairs reads an object of texts behind its brace. Of a key that is there twice
// the last counts, as in the JSON package.
func (s *scan) pairs(into *map[string]string) bool {
	*into = map[string]string{}
	if s.take("}") {
		return true
	}
	for {
		var key, value string
		if !scanText(s, &key) || !s.take(":") || !scanText(s, &value) {
			return false
		}
		(*into)[key] = value
		if s.take("}") {
			return true
		}
		if !s.take(",") {
			return false
		}
	}
}
