// Package hostile makes text from outside fit for people, models and logs.
//
// It owns what is taken out of such text: characters that rewrite a terminal or
// reorder what is read, whatever is too long, and whatever has the form of a
// secret. It promises that what it returns is valid UTF-8, and it knows no
// particular secret: see egress for those of one call.
package hostile

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean is text as a person would see it: valid UTF-8, without control
// characters but newline and tab, without those that reorder what is read or
// smuggle letters unseen.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r >= 0xE0000 && r <= 0xE007F, r == 0xFEFF:
			return -1
		default:
			return r
		}
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// Clip cuts text to at most limit bytes at the border of a character.
func Clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const mark = "…"
	if limit < len(mark) {
		return ""
	}
	cut := limit - len(mark)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + mark
}

// Shown makes a name that a stranger chose fit for a message.
func Shown(name string) string {
	const limit = 64
	return Clip(ScrubForms(Clean(name)), limit)
}

// HasControl reports whether a text holds a character that would end a line of
// a header or rewrite a terminal.
func HasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}
