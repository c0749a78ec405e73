package commerce

import (
	"context"
	"regexp"
)

var (
	taxpayerPattern = regexp.MustCompile(`^([0-9]{11}|[0-9A-Z]{12}[0-9]{2})$`)
	asaasPhone      = regexp.MustCompile(`^[0-9]{10,13}$`)
)

// asaasBilling are Asaas's words for ways to pay.
func asaasBilling(method string) string {
	switch method {
	case methodPix:
		return "PIX"
	case methodBoleto:
		return "BOLETO"
	default:
		return "CREDIT_CARD"
	}
}

func asaasStatuses() map[string]string {
	return map[string]string{
		"PENDING": statusPending, "AWAITING_RISK_ANALYSIS": statusPending, "OVERDUE": "overdue",
		"RECEIVED": statusSucceeded, "CONFIRMED": statusSucceeded, "RECEIVED_IN_CASH": statusSucceeded,
		"REFUNDED": statusRefunded, "REFUND_REQUESTED": statusRefunded, "REFUND_IN_PROGRESS": statusRefunded,
	}
}

// someCustomer stands in the arguments of a payment that is only looked for.
const someCustomer = "cus_0"

// chargeAtAsaas finds the customer by document or creates one, creates the
// payment, and reads the code to pay it by.
func (r *run) chargeAtAsaas(ctx context.Context, in charging, made *charged) error {
	document := taxpayer(in.Buyer.Document)
	if !taxpayerPattern.MatchString(document) {
		return misfit("/buyer/document", "has to be the buyer's CPF or CNPJ, which Asaas needs")
	}
	payment := step{
		name: stepCreatePayment, server: serverAsaas, tool: "create_payment", did: created("payment"),
		arguments: object{
			"customer": someCustomer, "billingType": asaasBilling(in.Method), "value": in.money.major(),
			"dueDate": r.market.due(in.DueDate), "description": in.Description,
		},
	}
	answer, recalled, err := r.recall(ctx, payment)
	if err == nil && !recalled {
		var customer string
		if customer, err = r.customerAtAsaas(ctx, in.Buyer, document); err != nil {
			return err
		}
		payment.arguments["customer"] = customer
		answer, err = r.do(ctx, payment)
	}
	if err != nil {
		return err
	}
	made.ID, made.ChargeURL = answer.text("id"), answer.text("invoiceUrl")
	made.Status = normal(answer.text("status"), asaasStatuses())
	made.Raw = r.asaasCode(ctx, in.Method, answer, made)
	return nil
}

// customerAtAsaas is the customer of that document. A document that is there
// several times, as Asaas allows, means the first that is listed.
func (r *run) customerAtAsaas(ctx context.Context, who buyer, document string) (string, error) {
	known, err := r.do(ctx, step{
		name: "find_customer", server: serverAsaas, tool: "list_customers", arguments: object{"cpfCnpj": document},
	})
	if err != nil {
		return "", err
	}
	for _, one := range known.objects("data") {
		if one.text("cpfCnpj") == document && !one.is("deleted") && one.text("id") != "" {
			return one.text("id"), nil
		}
	}
	arguments := object{"name": who.Name, "cpfCnpj": document}.put("email", who.Email)
	if phone := digits(who.Phone); asaasPhone.MatchString(phone) {
		arguments["phone"] = phone
	}
	answer, err := r.do(ctx, step{
		name: "create_customer", server: serverAsaas, tool: "create_customer", arguments: arguments, did: created("customer"),
	})
	return answer.text("id"), err
}

// asaasCode reads what a payment is paid by. The payment is there with or
// without it, and its page shows it too, so that a failure is told in raw alone.
func (r *run) asaasCode(ctx context.Context, method string, payment object, made *charged) object {
	raw := object{"payment": payment}
	read := step{server: serverAsaas, arguments: object{"id": made.ID}}
	switch method {
	case methodPix:
		read.name, read.tool = "read_pix_code", "get_pix_qrcode"
	case methodBoleto:
		read.name, read.tool = "read_boleto", "get_boleto"
	default:
		return raw
	}
	answer, err := r.do(ctx, read)
	switch {
	case err != nil:
		raw["note"] = err.Error()
	case method == methodPix:
		made.PixQRCode, made.PixCopyPaste = answer.image("encodedImage"), answer.text("payload")
	default:
		raw["boleto"] = answer
	}
	return raw
}
