package planner

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// maxTold is how much of a plain answer a summary repeats.
const maxTold = 160

// idPattern is what an id may look like: it goes into the next call's arguments.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,128}$`)

// read takes a tool's answer apart: an object, or a list of objects. Answers
// in an envelope of content parts are unwrapped.
func read(output string) (object fake.Object, list []fake.Object) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader([]byte(output)))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return fake.Object{}, nil
	}
	switch value := value.(type) {
	case map[string]any:
		object = value
		if parts := object.Objects("content"); len(parts) > 0 && parts[0].Has("text") {
			return read(parts[0].Text("text"))
		}
		return object, nil
	case []any:
		return fake.Object{}, fake.Object{"list": value}.Objects("list")
	default:
		return fake.Object{}, nil
	}
}

// trouble is what an answer says went wrong; empty when all is well.
func trouble(output string) string {
	plain := strings.TrimSpace(output)
	if strings.HasPrefix(strings.ToLower(plain), "error") {
		return shortened(plain)
	}
	object, _ := read(output)
	if fault := object.Object("error"); len(fault) > 0 {
		return shortened(strings.TrimSpace(fault.Text("code") + " " + fault.Text("message")))
	}
	if object.Has("error") {
		return shortened(object.Text("error"))
	}
	if object.Has("errors") {
		for _, fault := range object.Objects("errors") {
			return shortened(fault.Text("code") + " " + fault.Text("description", "message"))
		}
		return shortened("invalid " + object.Text("message"))
	}
	return ""
}

// identity is the id of what an answer is about; empty when it names none.
func identity(output string) string {
	object, _ := read(output)
	for _, at := range []fake.Object{object, object.Object("data"), object.Object("result")} {
		if id := at.Text("id", "messageId"); idPattern.MatchString(id) {
			return id
		}
	}
	return ""
}

// tell is an answer in a few words.
func tell(output string) string {
	if fault := trouble(output); fault != "" {
		return "failed: " + fault
	}
	object, list := read(output)
	var words []string
	if id := identity(output); id != "" {
		words = append(words, id)
	}
	for _, name := range []string{"status", "descStatusAtual", "codigoObjeto", "prazoEntrega", "balance", "url", "exists", "message", "mensagem"} {
		if text := object.Text(name); text != "" {
			words = append(words, shortened(text))
		}
	}
	if exists, ok := object["exists"].(bool); ok && !exists {
		words = append(words, "does not exist")
	}
	words = append(words, details(object, list)...)
	if len(words) == 0 {
		return "done"
	}
	return strings.Join(words, ", ")
}

// details are what an answer says further down.
func details(object fake.Object, list []fake.Object) []string {
	var words []string
	say := func(texts ...string) {
		if text := strings.TrimSpace(strings.Join(texts, " ")); text != "" {
			words = append(words, shortened(text))
		}
	}
	purchase := object.Object("purchase")
	say(purchase.Text("status"), purchase.Text("protocol"))
	say(object.Text("logradouro"), object.Text("municipio", "localidade"))
	for _, parcel := range object.Objects("objetos") {
		say(parcel.Text("mensagem"))
		for _, event := range parcel.Objects("eventos")[:min(1, len(parcel.Objects("eventos")))] {
			say(event.Text("descricao"))
		}
	}
	for _, available := range object.Objects("available") {
		say(available.Text("amount"), available.Text("currency"), "in minor units")
	}
	for _, entry := range list {
		say(entry.Text("noProduto", "name"), entry.Text("pcFinal", "price"))
	}
	return words
}

// shortened makes one line of a text, and not a long one.
func shortened(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= maxTold {
		return text
	}
	return strings.ToValidUTF8(text[:maxTold], "") + "..."
}
