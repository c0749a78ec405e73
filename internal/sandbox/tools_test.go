package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	openai "github.com/sashabaranov/go-openai"
	"github.com/stretchr/testify/require"

	feira "github.com/feira-dev/feira/internal/agent"
)

// tool is how the test agent reaches a provider: the arguments that the path
// does not take go into the body, or into the query of a GET.
type tool struct {
	name, method, path string
	schema             string
	wrap               string // the field under which the arguments' id goes, as a list
}

const (
	cepSchema   = `{"type":"string","pattern":"^[0-9]{8}$"}`
	partySchema = `{"type":"object","required":["nome"],"properties":{"nome":{"type":"string","maxLength":60},
		"cpfCnpj":{"type":"string","pattern":"^([0-9]{11}|[0-9]{14})$"},"endereco":{"type":"object","required":["cep"],"properties":{"cep":` + cepSchema + `}}}}`
	melhorParty = `{"type":"object","additionalProperties":false,"required":["name","address","city","postal_code"],"properties":{
		"name":{"type":"string"},"phone":{"type":"string"},"email":{"type":"string"},"document":{"type":"string"},"company_document":{"type":"string"},
		"address":{"type":"string"},"number":{"type":"string"},"district":{"type":"string"},"city":{"type":"string"},
		"state_abbr":{"type":"string","pattern":"^[A-Z]{2}$"},"country_id":{"type":"string"},"postal_code":` + cepSchema + `}}`
	melhorProducts = `{"type":"array","minItems":1,"items":{"type":"object","additionalProperties":false,"properties":{"id":{"type":"string"},
		"name":{"type":"string"},"quantity":{"type":"integer","minimum":1},"width":{"type":"number"},"height":{"type":"number"},"length":{"type":"number"},
		"weight":{"type":"number"},"insurance_value":{"type":"number"},"unitary_value":{"type":"number"}}}}`
	idSchema     = `{"type":"object","additionalProperties":false,"required":["id"],"properties":{"id":{"type":"string","pattern":"^[A-Za-z0-9_-]+$"}}}`
	ordersSchema = `{"type":"object","additionalProperties":false,"required":["orders"],"properties":{"orders":{"type":"array","minItems":1,"items":{"type":"string"}}}}`
	phoneSchema  = `{"type":"string","pattern":"^[0-9]{10,15}$"}`
	nothing      = `{"type":"object","additionalProperties":false,"properties":{}}`
)

func object(required []string, properties ...string) string {
	names, _ := json.Marshal(required)
	return `{"type":"object","additionalProperties":false,"required":` + string(names) + `,"properties":{` + strings.Join(properties, ",") + `}}`
}

func catalogue() []tool {
	return []tool{
		{"stripe__create_customer", "POST", "/customers", object([]string{}, `"name":{"type":"string"},"email":{"type":"string"},"phone":{"type":"string"}`), ""},
		{
			"stripe__create_payment_intent", "POST", "/payment_intents", object([]string{"amount", "currency"},
				`"amount":{"type":"integer","minimum":1}`, `"currency":{"type":"string","pattern":"^[a-z]{3}$"}`, `"customer":{"type":"string"}`,
				`"description":{"type":"string"}`, `"receipt_email":{"type":"string"}`, `"metadata":{"type":"object","additionalProperties":{"type":"string"}}`), "",
		},
		{"stripe__retrieve_payment_intent", "GET", "/payment_intents/{id}", idSchema, ""},
		{"stripe__create_refund", "POST", "/refunds", object([]string{}, `"payment_intent":{"type":"string"},"amount":{"type":"integer"}`), ""},
		{"stripe__retrieve_balance", "GET", "/balance", nothing, ""},
		{
			"correios__calculate_shipping", "POST", "/preco/v1/nacional", object([]string{"cepOrigem", "cepDestino", "peso"},
				`"cepOrigem":`+cepSchema, `"cepDestino":`+cepSchema, `"peso":{"type":"number","exclusiveMinimum":0}`), "",
		},
		{
			"correios__get_delivery_time", "GET", "/prazo/v1/nacional/{codigoServico}", object([]string{"cepOrigem", "cepDestino", "codigoServico"},
				`"cepOrigem":`+cepSchema, `"cepDestino":`+cepSchema, `"codigoServico":{"type":"string","pattern":"^[0-9]{5}$"}`), "",
		},
		{
			"correios__create_prepost", "POST", "/prepostagem/v1/prepostagens", object([]string{"codigoServico", "remetente", "destinatario", "objetoPostal"},
				`"codigoServico":{"type":"string","pattern":"^[0-9]{5}$"}`, `"remetente":`+partySchema, `"destinatario":`+partySchema, `"objetoPostal":{"type":"object","minProperties":1}`), "",
		},
		{"correios__track_package", "GET", "/srorastro/v1/objetos/{code}", object([]string{"code"}, `"code":{"type":"string","pattern":"^[A-Z]{2}[0-9]{9}[A-Z]{2}$"}`), ""},
		{"nuvem-fiscal__consult_cep", "GET", "/cep/{cep}", object([]string{"cep"}, `"cep":`+cepSchema), ""},
		{
			"nuvem-fiscal__create_nfe", "POST", "/nfe", object([]string{"ambiente", "infNFe"}, `"ambiente":{"enum":["producao","homologacao"]}`,
				`"infNFe":{"type":"object","required":["ide","emit","det","total","transp","pag"],"properties":{"ide":{"type":"object"},
				"emit":{"type":"object","properties":{"CNPJ":{"type":"string","pattern":"^[0-9]{14}$"}}},"det":{"type":"array","minItems":1,"items":{"type":"object"}}}}`), "",
		},
		{"nuvem-fiscal__get_nfe", "GET", "/nfe/{id}", idSchema, ""},
		{
			"asaas__create_customer", "POST", "/customers", object([]string{"name", "cpfCnpj"}, `"name":{"type":"string"}`,
				`"cpfCnpj":{"type":"string","pattern":"^([0-9]{11}|[0-9]{14})$"}`, `"email":{"type":"string"}`, `"phone":{"type":"string","pattern":"^[0-9]{10,13}$"}`), "",
		},
		{
			"asaas__create_payment", "POST", "/payments", object([]string{"customer", "billingType", "value", "dueDate"}, `"customer":{"type":"string"}`,
				`"billingType":{"enum":["BOLETO","CREDIT_CARD","PIX"]}`, `"value":{"type":"number","exclusiveMinimum":0}`,
				`"dueDate":{"type":"string","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}`, `"description":{"type":"string"}`), "",
		},
		{"asaas__get_pix_qrcode", "GET", "/payments/{id}/pixQrCode", idSchema, ""},
		{"asaas__get_boleto", "GET", "/payments/{id}/identificationField", idSchema, ""},
		{"asaas__get_payment", "GET", "/payments/{id}", idSchema, ""},
		{"asaas__get_balance", "GET", "/finance/balance", nothing, ""},
		{
			"melhor-envio__calculate_shipping", "POST", "/me/shipment/calculate", object([]string{"from", "to", "products"},
				`"from":`+object([]string{"postal_code"}, `"postal_code":`+cepSchema), `"to":`+object([]string{"postal_code"}, `"postal_code":`+cepSchema), `"products":`+melhorProducts), "",
		},
		{
			"melhor-envio__create_shipment", "POST", "/me/cart", object([]string{"service", "from", "to", "products"}, `"service":{"type":"integer","minimum":1}`,
				`"from":`+melhorParty, `"to":`+melhorParty, `"products":`+melhorProducts), "",
		},
		{"melhor-envio__checkout_cart", "POST", "/me/shipment/checkout", ordersSchema, ""},
		{"melhor-envio__generate_label", "POST", "/me/shipment/generate", ordersSchema, ""},
		{"melhor-envio__track_shipment", "POST", "/me/shipment/tracking", idSchema, "orders"},
		{"melhor-envio__get_balance", "GET", "/me/balance", nothing, ""},
		{"z-api__check_number", "GET", "/phone-exists/{phone}", object([]string{"phone"}, `"phone":`+phoneSchema), ""},
		{"z-api__send_text", "POST", "/send-text", object([]string{"phone", "message"}, `"phone":`+phoneSchema, `"message":{"type":"string","minLength":1}`), ""},
	}
}

// agent is the smallest loop that runs a model and its tools.
type agent struct {
	*bundle
	tenant  string
	tools   []tool
	offer   []openai.Tool
	schemas map[string]*jsonschema.Schema
	// log lists the tools of each round.
	log [][]string
	// history is the conversation so far.
	history []openai.ChatCompletionMessage
	stream  bool
}

func (b *bundle) agent(t *testing.T, tenant string, servers ...string) *agent {
	t.Helper()
	a := &agent{bundle: b, tenant: tenant, schemas: map[string]*jsonschema.Schema{}}
	compiler := jsonschema.NewCompiler()
	for _, one := range catalogue() {
		server, _, _ := strings.Cut(one.name, "__")
		if !slices.Contains(servers, server) {
			continue
		}
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(one.schema))
		require.NoError(t, err, one.name)
		require.NoError(t, compiler.AddResource("mem:///"+one.name, document))
		a.schemas[one.name], err = compiler.Compile("mem:///" + one.name)
		require.NoError(t, err)
		a.tools = append(a.tools, one)
		a.offer = append(a.offer, openai.Tool{Type: openai.ToolTypeFunction, Function: &openai.FunctionDefinition{
			Name: one.name, Description: one.name, Parameters: json.RawMessage(one.schema),
		}})
	}
	return a
}

// maxRounds is more than any plan takes.
const maxRounds = 12

// ask runs a turn to its end, and returns the answer.
func (a *agent) ask(t *testing.T, text string) string {
	t.Helper()
	a.log = nil
	a.history = append(a.history, openai.ChatCompletionMessage{Role: openai.ChatMessageRoleUser, Content: text})
	for range maxRounds {
		said := a.reply(t)
		a.history = append(a.history, said)
		if len(said.ToolCalls) == 0 {
			require.True(t, strings.HasPrefix(said.Content, "[offline model] "), said.Content)
			return said.Content
		}
		var round []string
		for _, call := range said.ToolCalls {
			round = append(round, call.Function.Name)
			a.history = append(a.history, openai.ChatCompletionMessage{
				Role: openai.ChatMessageRoleTool, ToolCallID: call.ID, Content: a.run(t, call.Function),
			})
		}
		a.log = append(a.log, round)
	}
	require.FailNow(t, "the model does not come to an end", "%v", a.log)
	return ""
}

func (a *agent) reply(t *testing.T) openai.ChatCompletionMessage {
	t.Helper()
	request := openai.ChatCompletionRequest{Model: "feira-offline", Messages: a.history, Tools: a.offer}
	if a.stream {
		message, _ := readStream(t, a.bundle, request)
		return message
	}
	response, err := a.openai("key").CreateChatCompletion(t.Context(), request)
	require.NoError(t, err)
	return response.Choices[0].Message
}

// run validates the arguments, sends the call and answers as the agent does.
func (a *agent) run(t *testing.T, call openai.FunctionCall) string {
	t.Helper()
	at := slices.IndexFunc(a.tools, func(one tool) bool { return one.name == call.Name })
	require.GreaterOrEqual(t, at, 0, "the model asked for %s, which is not on offer", call.Name)
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(call.Arguments))
	require.NoError(t, err)
	require.NoError(t, a.schemas[call.Name].Validate(document), "%s %s", call.Name, call.Arguments)

	one := a.tools[at]
	arguments, _ := document.(map[string]any)
	server, _, _ := strings.Cut(one.name, "__")
	path := one.path
	for name, value := range arguments {
		if slot := "{" + name + "}"; strings.Contains(path, slot) {
			path = strings.ReplaceAll(path, slot, url.PathEscape(fmt.Sprint(value)))
			delete(arguments, name)
		}
	}
	if one.wrap != "" {
		arguments = map[string]any{one.wrap: []any{arguments["id"]}}
	}
	body := ""
	switch {
	case one.method == "GET":
		path += "?" + encodeForm(arguments)
	case server == "stripe":
		body = encodeForm(arguments)
	default:
		data, err := json.Marshal(arguments)
		require.NoError(t, err)
		body = string(data)
	}
	got := a.peer(t, server, a.tenant).call(t, one.method, path, body)
	origin := feira.Origin{Tenant: "tenant_acme", Session: "ses_1", Request: "req_1", Place: call.Name, From: call.Name}
	if got.status >= 400 {
		said := feira.Untrusted(origin, got.raw)
		data, err := json.Marshal(map[string]any{"status": "error", "error": map[string]any{"code": "provider_error", "message": said}})
		require.NoError(t, err)
		return string(data)
	}
	return feira.Untrusted(origin, got.raw)
}

func encodeForm(arguments map[string]any) string {
	form := url.Values{}
	for name, value := range arguments {
		if nested, ok := value.(map[string]any); ok {
			for inner, text := range nested {
				form.Set(name+"["+inner+"]", fmt.Sprint(text))
			}
			continue
		}
		form.Set(name, fmt.Sprint(value))
	}
	return form.Encode()
}

// readStream puts a stream together as every client does.
func readStream(t *testing.T, b *bundle, request openai.ChatCompletionRequest) (openai.ChatCompletionMessage, *openai.Usage) {
	t.Helper()
	request.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	stream, err := b.openai("key").CreateChatCompletionStream(t.Context(), request)
	require.NoError(t, err)
	defer func() { _ = stream.Close() }()
	message := openai.ChatCompletionMessage{Role: openai.ChatMessageRoleAssistant}
	var usage *openai.Usage
	var text bytes.Buffer
	for {
		chunk, err := stream.Recv()
		if err != nil {
			require.ErrorContains(t, err, "EOF")
			break
		}
		if chunk.Usage != nil {
			require.Empty(t, chunk.Choices)
			usage = chunk.Usage
			continue
		}
		delta := chunk.Choices[0].Delta
		text.WriteString(delta.Content)
		for _, call := range delta.ToolCalls {
			require.NotNil(t, call.Index)
			if *call.Index == len(message.ToolCalls) {
				message.ToolCalls = append(message.ToolCalls, openai.ToolCall{ID: call.ID, Type: call.Type, Function: openai.FunctionCall{Name: call.Function.Name}})
			}
			message.ToolCalls[*call.Index].Function.Arguments += call.Function.Arguments
		}
	}
	message.Content = text.String()
	return message, usage
}
