package planner

import "time"

// lengthCNPJ tells a company's number from a person's.
const lengthCNPJ = 14

func invoiceRecipes() []recipe {
	address := []step{{tool: "nuvem-fiscal__consult_cep", optional: true, arguments: func(d *desk) object {
		if d.order.to == "" {
			return nil
		}
		return object{"cep": d.order.to}
	}}}
	return []recipe{
		{intent: intentInvoice, words: []string{"nf-e", "nfe", "produto", "product"}, needs: needsAmount, stages: [][]step{
			address,
			{{tool: "nuvem-fiscal__create_nfe", arguments: nfe}},
			{{tool: "nuvem-fiscal__get_nfe", optional: true, arguments: documentOf("nuvem-fiscal__create_nfe")}},
		}},
		{intent: intentInvoice, words: []string{"nfs-e", "nfse", "serviço", "service invoice"}, needs: needsAmount, stages: [][]step{
			{{tool: "nuvem-fiscal__create_nfse", arguments: nfse}},
			{{tool: "nuvem-fiscal__get_nfse", optional: true, arguments: documentOf("nuvem-fiscal__create_nfse")}},
		}},
	}
}

func documentOf(tool string) func(d *desk) object {
	return func(d *desk) object {
		if id := d.id(tool); id != "" {
			return object{"id": id}
		}
		return nil
	}
}

// nfe is the tax office's own form of the document, unless the tool declares
// the flat one.
func nfe(d *desk) object {
	o := object{"ambiente": "homologacao"}
	if !d.declares("nuvem-fiscal__create_nfe", "natureza_operacao") {
		o["infNFe"] = taxLayout(d)
		return o
	}
	o["natureza_operacao"] = "Venda de mercadoria"
	o["emitente"], o["destinatario"] = fiscalParty(d.sender()), fiscalParty(d.recipient())
	o["itens"] = []any{object{
		"numero_item": 1, "codigo": "1", "descricao": "Item", "ncm": "49019900", "cfop": "5102", "unidade": "UN",
		"quantidade": 1, "valor_unitario": value(d), "valor_total": value(d),
	}}
	o["pagamento"] = object{"formas_pagamento": []any{object{"tipo": "17", "valor": value(d)}}}
	return o
}

func nfse(d *desk) object {
	p := d.recipient()
	if d.declares("nuvem-fiscal__create_nfse", "prestador") {
		return object{
			"ambiente": "homologacao", "prestador": fiscalParty(d.sender()), "tomador": fiscalParty(p),
			"servico": object{"descricao": d.described(), "valor_servicos": value(d), "codigo": "010101"},
		}
	}
	return object{"ambiente": "homologacao", "infDPS": object{
		"dhEmi": d.turn.Today.Format(time.RFC3339), "prest": object{"CNPJ": d.sender().taxpayer},
		"toma": taxpayer(p), "serv": object{"cServ": object{"cTribNac": "010101", "xDescServ": d.described()}},
		"valores": object{"vServPrest": object{"vServ": value(d)}},
	}}
}

func fiscalParty(p party) object {
	o := objectBuilder{"cpf_cnpj": p.taxpayer, "nome": p.name, "endereco": object{
		"cep": p.place.CEP, "logradouro": p.place.Street, "numero": houseNumber, "bairro": p.place.District,
		"municipio": p.place.City, "codigo_municipio": p.place.IBGE, "uf": p.place.UF,
	}}
	return object(o.put("email", p.email))
}

func taxpayer(p party) object {
	if len(p.taxpayer) == lengthCNPJ {
		return object{"CNPJ": p.taxpayer, "xNome": p.name}
	}
	return object{"CPF": p.taxpayer, "xNome": p.name}
}

func taxAddress(p party) object {
	return object{
		"xLgr": p.place.Street, "nro": houseNumber, "xBairro": p.place.District, "cMun": p.place.IBGE, "xMun": p.place.City, "UF": p.place.UF,
		"CEP": p.place.CEP, "cPais": "1058", "xPais": "BRASIL",
	}
}

// taxLayout is the tax office's NF-e, version 4.00, of one item.
func taxLayout(d *desk) object {
	from, to := d.sender(), d.recipient()
	issuer, receiver := taxpayer(from), taxpayer(to)
	issuer["enderEmit"], issuer["IE"], issuer["CRT"] = taxAddress(from), "111111111111", 1
	receiver["enderDest"], receiver["indIEDest"] = taxAddress(to), 9
	return object{
		"versao": "4.00",
		"ide": object{
			"cUF": 35, "natOp": "Venda de mercadoria", "mod": 55, "serie": 1, "nNF": 1, "dhEmi": d.turn.Today.Format(time.RFC3339), "tpNF": 1,
			"idDest": 1, "cMunFG": from.place.IBGE, "tpImp": 1, "tpEmis": 1, "finNFe": 1, "indFinal": 1, "indPres": 2, "procEmi": 0, "verProc": "feira",
		},
		"emit": issuer, "dest": receiver,
		"det": []any{object{"nItem": 1, "prod": object{
			"cProd": "1", "cEAN": "SEM GTIN", "xProd": "Item", "NCM": "49019900", "CFOP": "5102", "uCom": "UN", "qCom": 1, "vUnCom": value(d),
			"vProd": value(d), "cEANTrib": "SEM GTIN", "uTrib": "UN", "qTrib": 1, "vUnTrib": value(d), "indTot": 1,
		}, "imposto": object{
			"ICMS": object{"ICMSSN102": object{"orig": 0, "CSOSN": "102"}}, "PIS": object{"PISNT": object{"CST": "07"}}, "COFINS": object{"COFINSNT": object{"CST": "07"}},
		}}},
		"total":  object{"ICMSTot": object{"vProd": value(d), "vNF": value(d)}},
		"transp": object{"modFrete": 9},
		"pag":    object{"detPag": []any{object{"tPag": "17", "vPag": value(d)}}},
	}
}
