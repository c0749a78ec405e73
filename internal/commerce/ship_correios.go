package commerce

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/cockroachdb/apd/v3"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// Services of the post that every contract has.
const (
	codeSEDEX = "03220"
	codePAC   = "03298"
)

func correiosNames() map[string]string {
	return map[string]string{codeSEDEX: "Correios SEDEX", codePAC: "Correios PAC"}
}

// parcel is all items in one box: as long and wide as the largest, as high as
// all on top of one another.
type parcel struct{ grams, length, width, height json.Number }

func (in shipping) parcel() (parcel, error) {
	var weights, heights []json.Number
	var times []int64
	var made parcel
	for i, one := range in.Items {
		quantity, err := one.Quantity.Int64()
		if err != nil {
			return parcel{}, misfit("/items/"+strconv.Itoa(i)+"/quantity", "is no whole number")
		}
		weights, heights, times = append(weights, one.Weight), append(heights, one.Height), append(times, quantity)
		made.length, made.width = larger(made.length, one.Length), larger(made.width, one.Width)
	}
	var err error
	if made.grams, err = total(weights, times); err != nil {
		return parcel{}, misfit("/items", "have weights that cannot be added up")
	}
	if made.height, err = total(heights, times); err != nil {
		return parcel{}, misfit("/items", "have heights that cannot be added up")
	}
	return made, nil
}

func larger(a, b json.Number) json.Number {
	first, _, err := apd.NewFromString(a.String())
	if err != nil {
		return b
	}
	second, _, err := apd.NewFromString(b.String())
	if err != nil || first.Cmp(second) >= 0 {
		return a
	}
	return b
}

// quotesAtCorreios asks for the prices of SEDEX and PAC, and how long each takes.
func (r *run) quotesAtCorreios(ctx context.Context, in shipping) ([]offer, object, error) {
	box, err := in.parcel()
	if err != nil {
		return nil, nil, err
	}
	answer, err := r.do(ctx, step{
		name: "calculate_shipping", server: serverCorreios, tool: "calculate_shipping",
		arguments: object{
			"cepOrigem": in.Origin.PostalCode, "cepDestino": in.Destination.PostalCode, "peso": box.grams,
			"comprimento": box.length, "largura": box.width, "altura": box.height, "servicos": []string{codeSEDEX, codePAC},
		},
	})
	if err != nil {
		return nil, nil, err
	}
	var offers []offer
	raw := object{"prices": answer[listKey]}
	for _, one := range answer.objects(listKey) {
		cents, priced := centsOf(one.text("pcFinal"))
		if !priced || one.text("txErro") != "" {
			continue
		}
		code := one.text("coProduto")
		name, known := correiosNames()[code]
		if !known {
			name = "Correios " + code
		}
		made := offer{id: code, carrier: name, cents: cents}
		// How long it takes is asked of another API, which a contract may lack.
		took, err := r.do(ctx, step{
			name: "get_delivery_time " + code, server: serverCorreios, tool: "get_delivery_time",
			arguments: object{"codigoServico": code, "cepOrigem": in.Origin.PostalCode, "cepDestino": in.Destination.PostalCode},
		})
		if err == nil {
			made.days, _ = strconv.ParseInt(took.text("prazoEntrega"), 10, 32)
		}
		offers = append(offers, made)
	}
	return offers, raw, nil
}

// noOffer is the end of a recipe that found no way to send the parcel.
func noOffer(server string) error {
	return &haltError{result: agent.Result{Status: events.ToolError, Fault: &events.ToolFault{
		Code: events.FaultProviderError, Message: server + " offers no service for this parcel; nothing was bought",
	}}}
}

func (r *run) quoteAtCorreios(ctx context.Context, in shipping) (shipped, error) {
	offers, raw, err := r.quotesAtCorreios(ctx, in)
	if err != nil {
		return shipped{}, err
	}
	best, ok := in.best(offers)
	if !ok {
		return shipped{}, noOffer(serverCorreios)
	}
	made := shipped{ID: best.id, Status: "quoted", Raw: raw}
	best.tell(&made, r.market.today())
	return made, nil
}

// labelAtCorreios registers the parcel, which is charged when it is posted.
func (r *run) labelAtCorreios(ctx context.Context, in shipping) (shipped, error) {
	box, err := in.parcel()
	if err != nil {
		return shipped{}, err
	}
	register := step{
		name: "create_prepost", server: serverCorreios, tool: "create_prepost", did: created("pre-posting"),
		arguments: object{
			"codigoServico": codePAC, "remetente": in.Origin.atCorreios(), "destinatario": in.Destination.atCorreios(),
			"objetoPostal": object{"formato": "2", "peso": box.grams, "comprimento": box.length, "largura": box.width, "altura": box.height},
		},
	}
	if contents := in.declared(); len(contents) > 0 {
		register.arguments["itensDeclaracaoConteudo"] = contents
	}
	made := shipped{Carrier: "Correios"}
	answer, recalled, err := r.recall(ctx, register)
	if err == nil && !recalled {
		var offers []offer
		if offers, _, err = r.quotesAtCorreios(ctx, in); err != nil {
			return shipped{}, err
		}
		best, ok := in.best(offers)
		if !ok {
			return shipped{}, noOffer(serverCorreios)
		}
		best.tell(&made, r.market.today())
		register.arguments["codigoServico"] = best.id
		answer, err = r.do(ctx, register)
	}
	if err != nil {
		return shipped{}, err
	}
	made.ID, made.TrackingCode, made.Raw = answer.text("id"), answer.text("codigoObjeto"), answer
	made.Status = normal(answer.text("descStatusAtual"), map[string]string{"PREPOSTADO": "created", "PREATENDIDO": "created", "POSTADO": "posted"})
	return made, nil
}

func (a *address) atCorreios() object {
	place := object{"cep": a.PostalCode, "logradouro": a.Line1, "numero": a.Number, "cidade": a.City, "uf": a.State}
	who := object{"nome": a.Name, "endereco": place.put("complemento", a.Complement).put("bairro", a.District)}
	return who.put("cpfCnpj", a.Document).put("email", a.Email)
}

// declared lists the contents, where every item says what it is worth.
func (in shipping) declared() []object {
	var contents []object
	for _, one := range in.Items {
		cents, ok := centsOf(one.DeclaredValue.String())
		if !ok || cents == 0 {
			return nil
		}
		contents = append(contents, object{
			"conteudo": one.Description, "quantidade": one.Quantity.String(), "valor": money{minor: cents, decimals: 2}.major().String(),
		})
	}
	return contents
}

func (r *run) trackAtCorreios(ctx context.Context, code string) (shipped, error) {
	track := step{name: "track_package", server: serverCorreios, tool: "track_package", arguments: object{"code": code}}
	answer, err := r.do(ctx, track)
	if err != nil {
		return shipped{}, err
	}
	for _, one := range answer.objects("objetos") {
		history := one.objects("eventos")
		if len(history) == 0 {
			continue
		}
		latest := history[0] // the newest comes first
		status := normal(latest.text("codigo"), map[string]string{"PAR": "created", "PO": "posted", "BDE": "delivered", "BDI": "delivered", "BDR": "delivered"})
		if status == latest.text("codigo") {
			status = "in_transit"
		}
		return shipped{ID: code, Status: status, TrackingCode: code, Carrier: "Correios", Raw: one}, nil
	}
	return shipped{}, r.failed(track, "Correios knows no object of that code, or nothing of it yet")
}
