package planner

import "regexp"

// askRecipes only read.
func askRecipes() []recipe {
	track := func(tool, field string, pattern *regexp.Regexp) step {
		return step{tool: tool, optional: true, arguments: func(d *desk) object {
			id := d.mention(pattern)
			if id == "" {
				return nil
			}
			if field == "orders" {
				return object{"orders": []any{id}, "id": id}
			}
			return object{field: id}
		}}
	}
	balance := func(tool string) step {
		return step{tool: tool, optional: true, arguments: func(*desk) object { return object{} }}
	}
	return []recipe{
		{intent: intentTrack, needs: needsMention("AA123456785BR, pay_... or pi_...", anyMention), stages: [][]step{{
			track("correios__track_package", "code", parcelID),
			track("melhor-envio__track_shipment", "orders", orderID),
			track("asaas__get_payment", "id", paymentID),
			track("stripe__retrieve_payment_intent", "id", intentID),
			track("nuvem-fiscal__get_nfe", "id", documentID),
		}}},
		{intent: intentBalance, stages: [][]step{{
			balance("stripe__retrieve_balance"), balance("asaas__get_balance"), balance("melhor-envio__get_balance"),
		}}},
	}
}

func anyMention(d *desk) string {
	for _, pattern := range []*regexp.Regexp{parcelID, orderID, paymentID, intentID, documentID} {
		if id := d.mention(pattern); id != "" {
			return id
		}
	}
	return ""
}
