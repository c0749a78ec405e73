package asaas

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Size of the pattern that stands for a QR code, in modules and in pixels each.
const (
	patternModules = 25
	patternPixels  = 4
)

// bank is the number under which Asaas issues slips.
const bank = "461"

func pixQRCode(c *call) fake.Answer {
	found, ok := c.State.payments.Find(c.Path("id"))
	if !ok || found.Deleted {
		return absent()
	}
	if found.BillingType != billingPix && found.BillingType != billingOpen && found.BillingType != billingBoleto {
		return invalid("invalid_action", "A forma de pagamento da cobrança não permite Pix.")
	}
	code := found.pixCode()
	picture, err := pattern(code)
	if err != nil {
		return refuse(http.StatusInternalServerError, "internal_error", err.Error())
	}
	return fake.OK(fake.Map{"success": true, "encodedImage": picture, "payload": code, "expirationDate": found.DueDate + " 23:59:59"})
}

// pixCode is the text that whoever pays copies.
func (p *payment) pixCode() string {
	return brazil.PixCode("pix-h.asaas.com/qr/"+p.ID[len("pay_"):], "SANDBOX", p.Value, p.ID[len("pay_"):])
}

// staticQRCode is a code that is paid without a payment to wait for it.
func staticQRCode(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	if !body.Has("addressKey") {
		return invalid("invalid_addressKey", "A chave Pix deve ser informada.")
	}
	value, ok := body.Cents("value")
	if body.Has("value") && (!ok || value <= 0) {
		return invalid("invalid_value", "O valor deve ser maior que zero.")
	}
	id := c.Token("LOJA", fake.Decimal, 21) + "ASA"
	code := brazil.PixCode("pix-h.asaas.com/"+body.Text("addressKey"), "SANDBOX", value, id)
	picture, err := pattern(code)
	if err != nil {
		return refuse(http.StatusInternalServerError, "internal_error", err.Error())
	}
	several, said := body["allowsMultiplePayments"].(bool)
	answer := fake.Map{"id": id, "allowsMultiplePayments": several || !said, "expirationDate": nil}
	if body.Has("expirationDate") {
		answer["expirationDate"] = body.Text("expirationDate")
	}
	if format := body.Text("format"); format != "PAYLOAD" {
		answer["encodedImage"] = picture
	}
	if format := body.Text("format"); format != "IMAGE" {
		answer["payload"] = code
	}
	c.Effect("qrcode.created", id, body.Text("externalReference"))
	return fake.OK(answer)
}

func boleto(c *call) fake.Answer {
	found, ok := c.State.payments.Find(c.Path("id"))
	if !ok || found.Deleted {
		return absent()
	}
	if found.BillingType != billingBoleto && found.BillingType != billingOpen {
		return invalid("invalid_action", "A forma de pagamento da cobrança não é boleto.")
	}
	due, err := time.Parse(time.DateOnly, found.DueDate)
	if err != nil {
		return refuse(http.StatusInternalServerError, "internal_error", err.Error())
	}
	slip := brazil.NewBoleto(bank, found.InvoiceNumber, found.Value, due)
	return fake.OK(fake.Map{"identificationField": slip.Line, "nossoNumero": found.InvoiceNumber, "barCode": slip.BarCode})
}

// pattern is a picture that follows from a text, in base64.
func pattern(text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	picture := image.NewGray(image.Rect(0, 0, patternModules*patternPixels, patternModules*patternPixels))
	for y := range picture.Rect.Dy() {
		for x := range picture.Rect.Dx() {
			module := y/patternPixels*patternModules + x/patternPixels
			shade := color.Gray{Y: 255}
			if sum[module%len(sum)]>>(module/len(sum)%8)&1 == 1 {
				shade.Y = 0
			}
			picture.SetGray(x, y, shade)
		}
	}
	var data bytes.Buffer
	if err := png.Encode(&data, picture); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(data.Bytes()), nil
}
