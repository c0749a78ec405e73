package commerce

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
)

// Numbers of the tax office.
const (
	regimeSimples = "1" // Simples Nacional, whose items carry no taxes of their own
	regimeMEI     = "4"
	notLiable     = 9 // a recipient that pays no ICMS
	countryBrazil = "1058"
)

func nfePayment(method string) string {
	return map[string]string{"cash": "01", "card": "03", "boleto": "15", "pix": "17"}[method]
}

// nfe is the tax office's layout 4.00, of a company under Simples Nacional that
// sells to a consumer. What else there is, no short form can say.
func (r *run) nfe(ctx context.Context, in invoicing, company object) (object, error) {
	regime := company.text("regime_tributacao")
	if regime != regimeSimples && regime != regimeMEI {
		return nil, r.refuse(events.FaultInvalidArguments, "the issuing company is not under Simples Nacional, so that each item's taxes have to be said: use nuvem-fiscal__create_nfe")
	}
	home, err := r.place(ctx, "find_recipient_place", in.Recipient.Address.PostalCode)
	if err != nil {
		return nil, err
	}
	from := company.object("endereco")
	across := 1
	if from.text("uf") != home.text("uf") {
		across = 2
	}
	cnpj := company.text("cpf_cnpj")
	issuer := taxed(cnpj)
	issuer["xNome"], issuer["CRT"] = company.text("nome_razao_social"), json.Number(regime)
	issuer["enderEmit"] = taxAddress(&address{
		PostalCode: from.text("cep"), Line1: from.text("logradouro"), Number: from.text("numero"), District: from.text("bairro"),
	}, object{"codigo_ibge": from["codigo_municipio"], "municipio": from["cidade"], "uf": from["uf"]})
	recipient := taxed(in.Recipient.Document)
	recipient["xNome"], recipient["indIEDest"] = in.Recipient.Name, notLiable
	recipient["enderDest"] = taxAddress(in.Recipient.Address, home)
	now := r.market.today()
	layout := object{
		"versao": "4.00",
		"ide": object{
			"cUF": json.Number(clip(from.text("codigo_municipio"), 2)), "natOp": "Venda de mercadoria", "mod": 55, "serie": in.Series, "nNF": in.Number,
			"dhEmi": now.Format(time.RFC3339), "tpNF": 1, "idDest": across, "cMunFG": from.text("codigo_municipio"), "tpImp": 1, "tpEmis": 1,
			"finNFe": 1, "indFinal": 1, "indPres": 2, "procEmi": 0, "verProc": "feira",
		},
		"emit":   issuer.put("IE", company.text("inscricao_estadual")),
		"dest":   recipient.put("email", in.Recipient.Email),
		"det":    in.goods(),
		"total":  object{"ICMSTot": in.taxTotals()},
		"transp": object{"modFrete": 9},
		"pag":    object{"detPag": []object{{"tPag": nfePayment(in.PaymentMethod), "vPag": in.total.major()}}},
	}
	if in.DueDate != "" {
		layout["cobr"] = object{"dup": []object{{"nDup": "001", "dVenc": in.DueDate, "vDup": in.total.major()}}}
	}
	return layout, nil
}

// place is what a postal code stands for: the document wants the town's number.
func (r *run) place(ctx context.Context, name, cep string) (object, error) {
	return r.do(ctx, step{name: name, server: serverNuvemFiscal, tool: "consult_cep", arguments: object{"cep": digits(cep)}})
}

func taxAddress(at *address, place object) object {
	street, district := at.Line1, at.District
	if street == "" {
		street = place.text("tipo_logradouro") + " " + place.text("logradouro")
	}
	if district == "" {
		district = place.text("bairro")
	}
	made := object{
		"xLgr": street, "nro": at.Number, "xBairro": district, "cMun": place.text("codigo_ibge"), "xMun": place.text("municipio"), "UF": place.text("uf"),
		"CEP": digits(at.PostalCode), "cPais": countryBrazil, "xPais": "BRASIL",
	}
	return made.put("xCpl", at.Complement)
}

func (in invoicing) goods() []object {
	goods := make([]object, 0, len(in.Items))
	for i, one := range in.Items {
		code := one.Code
		if code == "" {
			code = strconv.Itoa(i + 1)
		}
		goods = append(goods, object{
			"nItem": i + 1,
			"prod": object{
				"cProd": code, "cEAN": "SEM GTIN", "xProd": one.Description, "NCM": one.NCM, "CFOP": one.CFOP,
				"uCom": "UN", "qCom": one.Quantity, "vUnCom": one.price.major(), "vProd": one.sum.major(),
				"cEANTrib": "SEM GTIN", "uTrib": "UN", "qTrib": one.Quantity, "vUnTrib": one.price.major(), "indTot": 1,
			},
			"imposto": object{
				"ICMS": object{"ICMSSN102": object{"orig": 0, "CSOSN": "102"}},
				"PIS":  object{"PISNT": object{"CST": "07"}}, "COFINS": object{"COFINSNT": object{"CST": "07"}},
			},
		})
	}
	return goods
}

func (in invoicing) taxTotals() object {
	totals := object{"vProd": in.total.major(), "vNF": in.total.major()}
	for _, name := range []string{
		"vBC", "vICMS", "vICMSDeson", "vFCP", "vBCST", "vST", "vFCPST", "vFCPSTRet", "vFrete", "vSeg", "vDesc", "vII", "vIPI", "vIPIDevol",
		"vPIS", "vCOFINS", "vOutro",
	} {
		totals[name] = zero()
	}
	return totals
}
