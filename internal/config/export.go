package config

// Export is what exports of usage need and settings must not hold.
type Export struct {
	// Key is the API key of the system that is told, or the whsec_ secret that
	// signs a webhook.
	Key Redacted `name:"key" help:"API key of the system that usage is exported to, or the secret that signs a webhook; better set by the environment." env:"FEIRA_EXPORT_KEY"`
}
