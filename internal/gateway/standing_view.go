package gateway

import (
	"time"

	"github.com/feira-dev/feira/internal/standing"
)

// PaymentStatus is how the payment stands that a tool call began.
type PaymentStatus struct {
	ToolCallID     string         `json:"tool_call_id"`
	PaymentStatus  string         `json:"payment_status" enum:"pending,succeeded,failed,refunded,updated,unknown"`
	IdempotencyKey *string        `json:"idempotency_key" doc:"What the provider knows the call by; null for a call that reached none."`
	OriginalStatus string         `json:"original_status" enum:"running,success,error" doc:"How the call itself ended."`
	Events         []PaymentEvent `json:"events"`
}

// PaymentEvent is something that the provider told of it.
type PaymentEvent struct {
	EventType      string    `json:"event_type"`
	ReceivedAt     time.Time `json:"received_at"`
	Provider       *string   `json:"provider"`
	ProviderAction *string   `json:"provider_action"`
	PaymentID      *string   `json:"payment_id"`
}

// VerificationStatus is how the verification stands that a tool call began.
type VerificationStatus struct {
	ToolCallID         string              `json:"tool_call_id"`
	VerificationStatus string              `json:"verification_status" enum:"pending,approved,rejected,expired,review,unknown"`
	IdempotencyKey     *string             `json:"idempotency_key" doc:"What the provider knows the call by; null for a call that reached none."`
	OriginalStatus     string              `json:"original_status" enum:"running,success,error" doc:"How the call itself ended."`
	HostedURL          *string             `json:"hosted_url" doc:"Where the person is to go for it."`
	Events             []VerificationEvent `json:"events"`
}

// VerificationEvent is something that the provider told of it.
type VerificationEvent struct {
	EventType      string    `json:"event_type"`
	ReceivedAt     time.Time `json:"received_at"`
	Provider       *string   `json:"provider"`
	VerificationID *string   `json:"verification_id"`
}

func paymentStatus(of *standing.Standing) PaymentStatus {
	shown := PaymentStatus{
		ToolCallID: string(of.ID()), PaymentStatus: string(of.Status()), IdempotencyKey: orNull(of.Key()), OriginalStatus: string(of.Call()),
		Events: []PaymentEvent{},
	}
	for _, event := range of.Events() {
		shown.Events = append(shown.Events, PaymentEvent{
			EventType: event.Type, ReceivedAt: event.ReceivedAt.UTC(), Provider: orNull(event.Provider),
			ProviderAction: orNull(event.Action), PaymentID: orNull(event.Object),
		})
	}
	return shown
}

func verificationStatus(of *standing.Standing) VerificationStatus {
	shown := VerificationStatus{
		ToolCallID: string(of.ID()), VerificationStatus: string(of.Status()), IdempotencyKey: orNull(of.Key()), OriginalStatus: string(of.Call()),
		HostedURL: orNull(of.HostedURL()), Events: []VerificationEvent{},
	}
	for _, event := range of.Events() {
		shown.Events = append(shown.Events, VerificationEvent{
			EventType: event.Type, ReceivedAt: event.ReceivedAt.UTC(), Provider: orNull(event.Provider), VerificationID: orNull(event.Object),
		})
	}
	return shown
}

// orNull makes null of an empty text.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
