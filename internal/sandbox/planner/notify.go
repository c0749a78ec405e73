package planner

import (
	"strings"
)

func needsPhone(d *desk) string {
	if d.order.phone == "" {
		return "a phone number with the country code, such as 5511987654321"
	}
	return ""
}

func notifyRecipes() []recipe {
	return []recipe{{intent: intentNotify, needs: needsPhone, stages: [][]step{
		{{tool: "z-api__check_number", optional: true, arguments: func(d *desk) object { return object{"phone": d.order.phone} }}},
		{{tool: "z-api__send_text", last: true, arguments: notice}},
	}}}
}

// notice is nil when the number is known to have no WhatsApp.
func notice(d *desk) object {
	checked, _ := read(d.made["z-api__check_number"].Output)
	if exists, said := checked["exists"].(bool); said && !exists {
		return nil
	}
	var text strings.Builder
	text.WriteString("Hello " + d.recipient().name + ". " + d.described() + ".")
	for _, line := range []struct{ about, tool string }{
		{"Payment", "asaas__create_payment"},
		{"Payment", "stripe__create_payment_intent"},
		{"Shipment", "correios__create_prepost"},
		{"Shipment", "melhor-envio__create_shipment"},
		{"Invoice", "nuvem-fiscal__create_nfe"},
	} {
		if id := d.id(line.tool); id != "" && trouble(d.made[line.tool].Output) == "" {
			text.WriteString(" " + line.about + " " + id + ".")
		}
	}
	if code := pixText(d); code != "" {
		text.WriteString(" Pix: " + code)
	}
	return object{"phone": d.order.phone, "message": text.String()}
}

func pixText(d *desk) string {
	answer, _ := read(d.made["asaas__get_pix_qrcode"].Output)
	return answer.Text("payload")
}
