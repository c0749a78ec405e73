package brazil

import (
	"fmt"
	"strings"
	"time"
)

// ParcelLabel is a tracking code of the universal postal form, two letters,
// nine digits of which the last one checks, and "BR".
func ParcelLabel(service, serial string) string {
	serial = fmt.Sprintf("%08s", serial)
	serial = serial[len(serial)-8:]
	weights := [8]int{8, 6, 4, 2, 3, 5, 9, 7}
	sum := 0
	for i, weight := range weights {
		sum += int(serial[i]-'0') * weight
	}
	check := 11 - sum%11
	switch check {
	case 10:
		check = 0
	case 11:
		check = 5
	}
	return fmt.Sprintf("%s%s%dBR", service, serial, check)
}

// PixCode is the text that a Pix QR code carries (EMV, with its CRC), for a
// payment of amount that is known by reference.
func PixCode(location, merchant string, amount Cents, reference string) string {
	field := func(id, value string) string { return fmt.Sprintf("%s%02d%s", id, len(value), value) }
	account := field("00", "br.gov.bcb.pix") + field("25", location)
	code := field("00", "01") + field("26", account) + field("52", "0000") + field("53", "986") +
		field("54", amount.String()) + field("58", "BR") + field("59", merchant) +
		field("60", "SAO PAULO") + field("62", field("05", reference)) + "6304"
	return WithChecksum(code)
}

// WithChecksum ends a Pix code with its CRC, for which it has named the field.
func WithChecksum(code string) string { return fmt.Sprintf("%s%04X", code, crc16(code)) }

// crc16 is CRC-16/CCITT-FALSE, as the Pix manual asks.
func crc16(text string) uint16 {
	crc := uint16(0xFFFF)
	for i := range len(text) {
		crc ^= uint16(text[i]) << 8
		for range 8 {
			carry := crc & 0x8000
			crc <<= 1
			if carry != 0 {
				crc ^= 0x1021
			}
		}
	}
	return crc
}

// Boleto is a bank slip: the 44 digits of its bar code and the 47 that people type.
type Boleto struct{ BarCode, Line string }

// boletoEpoch is the day from which the slip's due factor counts since it
// started over in 2025; the factor is then 1000.
const (
	boletoEpochFactor = 1000
	boletoMaxFactor   = 9999
)

// NewBoleto makes the slip of bank for an amount; free are 25 digits of the bank's own.
func NewBoleto(bank, free string, amount Cents, due time.Time) Boleto {
	epoch := time.Date(2025, 2, 22, 0, 0, 0, 0, time.UTC)
	factor := boletoEpochFactor + int(due.Sub(epoch).Hours()/24)
	factor = min(max(factor, boletoEpochFactor), boletoMaxFactor)
	free = (strings.Repeat("0", 25) + free)
	free = free[len(free)-25:]
	rest := fmt.Sprintf("%04d%010d%s", factor, int64(amount)%10_000_000_000, free)
	head := bank + "9"
	check := modulo11(head + rest)
	bar := head + check + rest
	first, second, third := head+free[:5], free[5:15], free[15:]
	line := first + modulo10(first) + second + modulo10(second) + third + modulo10(third) + check + rest[:14]
	return Boleto{BarCode: bar, Line: line}
}

func modulo10(digits string) string {
	sum, weight := 0, 2
	for i := len(digits) - 1; i >= 0; i-- {
		product := int(digits[i]-'0') * weight
		sum += product/10 + product%10
		weight = 3 - weight
	}
	return string(rune('0' + (10-sum%10)%10))
}

func modulo11(digits string) string {
	sum, weight := 0, 2
	for i := len(digits) - 1; i >= 0; i-- {
		sum += int(digits[i]-'0') * weight
		weight++
		if weight > 9 {
			weight = 2
		}
	}
	check := 11 - sum%11
	if check == 0 || check > 9 {
		check = 1
	}
	return string(rune('0' + check))
}
