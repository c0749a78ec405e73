package commerce

import (
	"context"
	"slices"
	"strings"
	"time"
)

// maxServiceText is the longest description of a service that the national
// layout takes, in bytes.
const maxServiceText = 2000

func fiscalStatuses() map[string]string {
	return map[string]string{
		"pendente": statusPending, "processando": statusPending, "autorizado": "authorized", "autorizada": "authorized",
		"rejeitado": "rejected", "rejeitada": "rejected", "negada": "rejected", "denegado": "rejected", "erro": "rejected",
		"cancelado": "cancelled", "cancelada": "cancelled", "registrado": "registered",
	}
}

// toolOf names a tool of a kind of document.
func toolOf(verb, kind string) string { return verb + "_" + kind }

func (r *run) documentAtNuvemFiscal(ctx context.Context, kind, id string) (invoiced, error) {
	answer, err := r.do(ctx, step{
		name: "read_document", server: serverNuvemFiscal, tool: toolOf("get", kind), arguments: object{"id": id},
	})
	if err != nil {
		return invoiced{}, err
	}
	return fiscal(answer), nil
}

func fiscal(document object) invoiced {
	return invoiced{
		ID: document.text("id"), Status: normal(document.text("status"), fiscalStatuses()),
		Number: document.text("numero"), AccessKey: document.text("chave"), Raw: document,
	}
}

// issueAtNuvemFiscal works out who issues, lays the document out and sends it.
// It is processed later, so it is read once after; that it is not yet
// authorised by then is no fault.
func (r *run) issueAtNuvemFiscal(ctx context.Context, in invoicing) (invoiced, error) {
	company, err := r.issuer(ctx, in.Issuer)
	if err != nil {
		return invoiced{}, err
	}
	field, standIn := "infDPS", object{"prest": taxed(company.text("cpf_cnpj")), "serv": object{}, "valores": object{}}
	if in.Type == typeNFe {
		field = "infNFe"
		standIn = object{
			"emit": taxed(company.text("cpf_cnpj")), "ide": object{}, "det": []object{{}}, "total": object{}, "transp": object{}, "pag": object{},
		}
	}
	issue := step{
		name: toolOf("create", in.Type), server: serverNuvemFiscal, tool: toolOf("create", in.Type), did: created(in.Type),
		arguments: object{field: standIn}, // what is only looked for has to have the form of a document, no more
	}
	answer, recalled, err := r.recall(ctx, issue)
	if err == nil && !recalled {
		if issue.arguments[field], err = r.layout(ctx, in, company); err != nil {
			return invoiced{}, err
		}
		answer, err = r.do(ctx, issue)
	}
	if err != nil {
		return invoiced{}, err
	}
	if now, err := r.documentAtNuvemFiscal(ctx, in.Type, answer.text("id")); err == nil && now.ID != "" {
		return now, nil
	}
	return fiscal(answer), nil
}

func (r *run) layout(ctx context.Context, in invoicing, company object) (object, error) {
	if in.Type == typeNFSe {
		return in.dps(company, r.market.today()), nil
	}
	return r.nfe(ctx, in, company)
}

// issuer is the company that issues: the one that is named, or the account's
// only one.
func (r *run) issuer(ctx context.Context, named string) (object, error) {
	find := step{name: "find_issuer", server: serverNuvemFiscal, tool: "list_empresas", arguments: object{}}
	if named != "" {
		named = taxpayer(named)
		if !taxpayerPattern.MatchString(named) {
			return nil, misfit("/issuer", "is no CPF or CNPJ")
		}
		find.arguments["cpf_cnpj"] = named
	}
	answer, err := r.do(ctx, find)
	if err != nil {
		return nil, err
	}
	companies := answer.objects("data")
	if named != "" {
		companies = slices.DeleteFunc(companies, func(one object) bool { return one.text("cpf_cnpj") != named })
	}
	switch {
	case len(companies) == 1:
		return companies[0], nil
	case len(companies) == 0:
		return nil, r.failed(find, "the account has no such company: register it with nuvem-fiscal__register_company")
	default:
		return nil, misfit("/issuer", "is missing: the account has several companies")
	}
}

// taxed is a party's number under the name of its kind.
func taxed(number string) object {
	if len(number) == len("52998224725") {
		return object{"CPF": number}
	}
	return object{"CNPJ": number}
}

// dps is the declaration that an NFS-e comes of, in the national layout.
func (in invoicing) dps(company object, now time.Time) object {
	descriptions := make([]string, 0, len(in.Items))
	for _, one := range in.Items {
		descriptions = append(descriptions, one.Quantity.String()+" x "+one.Description)
	}
	service := object{"cServ": object{"cTribNac": in.Items[0].ServiceCode, "xDescServ": clip(strings.Join(descriptions, "; "), maxServiceText)}}
	if town := company.object("endereco").text("codigo_municipio"); town != "" {
		service["locPrest"] = object{"cLocPrestacao": town}
	}
	taker := taxed(in.Recipient.Document)
	taker["xNome"] = in.Recipient.Name
	return object{
		"dhEmi": now.Format(time.RFC3339), "dCompet": now.Format(time.DateOnly),
		"prest": taxed(company.text("cpf_cnpj")), "toma": taker.put("email", in.Recipient.Email), "serv": service,
		"valores": object{
			"vServPrest": object{"vServ": in.total.major()},
			"trib":       object{"tribMun": object{"tribISSQN": 1, "tpRetISSQN": 1}},
		},
	}
}

// amendAtNuvemFiscal corrects by letter, or cancels. A second letter would take
// the place of the first, so one in doubt is not sent again; a second
// cancellation is refused, and the document tells whether the first was taken.
func (r *run) amendAtNuvemFiscal(ctx context.Context, in invoicing) (invoiced, error) {
	if in.Correction != "" {
		answer, err := r.do(ctx, step{
			name: "send_correction_letter", server: serverNuvemFiscal, tool: "send_correction_letter_nfe",
			arguments: object{"id": in.InvoiceID, "correcao": in.Correction},
			did:       func(object) string { return "a correction letter was sent" },
		})
		return amended(in.InvoiceID, "correction_letter", answer), err
	}
	answer, err := r.do(ctx, step{
		name: "cancel", server: serverNuvemFiscal, tool: toolOf("cancel", in.Type),
		arguments: object{"id": in.InvoiceID, "justificativa": in.Reason},
		did:       func(object) string { return "the document was cancelled" },
		proof: func(ctx context.Context) (object, bool) {
			now, err := r.documentAtNuvemFiscal(ctx, in.Type, in.InvoiceID)
			return object{"id": now.ID, "status": now.Status}, err == nil && now.Status == "cancelled"
		},
	})
	return amended(in.InvoiceID, "cancellation", answer), err
}

func amended(id, mechanism string, event object) invoiced {
	return invoiced{ID: id, Status: normal(event.text("status"), fiscalStatuses()), Mechanism: mechanism, Raw: event}
}
