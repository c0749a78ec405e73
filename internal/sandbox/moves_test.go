package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A parcel is seen to move by whoever asks for it by its code: posted, on its
// way, and delivered or returned, each at its time and no sooner.
func TestParcelsMoveByTheClock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "correios", acme)
	register := func(body string) (id, label string) {
		made := p.ok(t, "POST", "/prepostagem/v1/prepostagens", body)
		return made.text("id"), made.text("codigoObjeto")
	}
	_, idle := register(prepost)
	_, back := register(strings.Replace(prepost, "order-1001", "DEVOLVER", 1))
	id, posted := register(prepost)
	p.ok(t, "POST", "/prepostagem/v1/prepostagens/postagens", `{"idsPrepostagem":["`+id+`"]}`)
	sees := func(label string) string {
		return p.ok(t, "GET", "/srorastro/v1/objetos?codigosObjetos="+label+"&resultado=T", "").raw
	}
	require.Contains(t, sees(posted), "Objeto postado", "at once, when somebody posts it")
	require.NotContains(t, sees(posted), "transferência")
	require.NotContains(t, sees(idle), "postado")
	for _, step := range []struct {
		pass    time.Duration
		label   string
		has, no string
	}{
		{12 * time.Hour, posted, `"RO"`, `"BDE"`},
		{12 * time.Hour, idle, `"PO"`, `"RO"`},
		{12 * time.Hour, idle, `"RO"`, `"BDE"`},
		{12 * time.Hour, posted, "Objeto entregue ao destinatário", "devolvido"},
		{24 * time.Hour, idle, "Objeto entregue ao destinatário", "devolvido"},
		{0, back, "Objeto devolvido ao remetente", "entregue"},
	} {
		b.clock.advance(step.pass)
		p.header = b.peer(t, "correios", acme).header // tokens live for a day
		require.Contains(t, sees(step.label), step.has)
		require.NotContains(t, sees(step.label), step.no)
	}
}

func TestDocumentsAreRejectedWhereTheyAskForIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "nuvem-fiscal", acme)
	made := p.ok(t, "POST", "/nfe", strings.Replace(invoice, "Venda", "REJEITAR", 1))
	require.Equal(t, "pendente", made.text("status"))
	got := p.ok(t, "GET", "/nfe/"+made.text("id"), "")
	require.Equal(t, "rejeitado", got.text("status"))
	require.Empty(t, got.text("chave"))
	require.Equal(t, 400, p.call(t, "POST", "/nfe/"+made.text("id")+"/cancelamento", `{"justificativa":"O cliente desistiu da compra"}`).status)
}
