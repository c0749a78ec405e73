package brazil

import (
	"crypto/sha256"
	"strings"
)

// Lengths of a taxpayer's number, in digits.
const (
	lengthCPF  = 11 // a person
	lengthCNPJ = 14 // a company
)

// Digits returns the digits of text, dropping everything else.
func Digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

// IsTaxpayer reports whether text is a CPF or a CNPJ with right check digits,
// with or without its punctuation.
func IsTaxpayer(text string) bool { return IsCPF(text) || IsCNPJ(text) }

// IsCPF reports whether text is a person's taxpayer number.
func IsCPF(text string) bool {
	digits := Digits(text)
	return len(digits) == lengthCPF && !uniform(digits) && withCheckDigits(digits[:9], cpfWeights) == digits
}

// IsCNPJ reports whether text is a company's taxpayer number.
func IsCNPJ(text string) bool {
	digits := Digits(text)
	return len(digits) == lengthCNPJ && !uniform(digits) && withCheckDigits(digits[:12], cnpjWeights) == digits
}

// CPF makes a valid number that follows from the seed alone. It may, by
// chance, be somebody's: never send it to a live provider.
func CPF(seed string) string { return withCheckDigits(digitsOf("cpf/"+seed, 9), cpfWeights) }

// CNPJ makes a valid number that follows from the seed alone. The warning of
// [CPF] holds.
func CNPJ(seed string) string {
	return withCheckDigits(digitsOf("cnpj/"+seed, 8)+"0001", cnpjWeights)
}

// uniform numbers such as 000.000.000-00 have right check digits and are
// refused everywhere.
func uniform(digits string) bool { return strings.Count(digits, digits[:1]) == len(digits) }

func cpfWeights(position int) int { return position + 2 }

func cnpjWeights(position int) int { return position%8 + 2 }

// withCheckDigits appends the two digits; weight counts positions from the right.
func withCheckDigits(digits string, weight func(position int) int) string {
	for range 2 {
		sum := 0
		for i := range len(digits) {
			sum += int(digits[i]-'0') * weight(len(digits)-1-i)
		}
		check := 11 - sum%11
		if check > 9 {
			check = 0
		}
		digits += string(rune('0' + check))
	}
	return digits
}

// digitsOf makes n digits that follow from the seed and are not all the same.
func digitsOf(seed string, n int) string {
	sum := sha256.Sum256([]byte(seed))
	digits := make([]byte, n)
	for i := range digits {
		digits[i] = '0' + sum[i%len(sum)]%10
	}
	if uniform(string(digits)) {
		digits[0] = '0' + (digits[0]-'0'+1)%10
	}
	return string(digits)
}
