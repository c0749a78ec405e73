package events

// ModelDelta is text of the model's as it arrives (core NATS): a preview, told
// and forgotten, of which some may be missing or come again when the model's
// stream was begun anew. The model.replied of the same request and iteration
// holds the truth.
type ModelDelta struct {
	Request RequestID `json:"request"`
	// Iteration is that of the reply which the text is of.
	Iteration int    `json:"iteration"`
	Text      string `json:"text"`
}
