// Package outbox sends what a fake's accounts have to tell, as the providers'
// own senders do: a POST for each letter, signed by the provider's scheme.
//
// It owns the queues, one for each address that an account has set, and when a
// letter that was not taken is sent again. It promises that the letters of a
// queue leave one after the other, that what was taken leaves no second time
// unless somebody asks for that, and that a letter which is refused holds up
// those behind it for as long as its provider's rules say:
//
//	       put                 taken
//	idle ───────► sending ─────────────► idle, or the next letter
//	 ▲               │ refused           ▲
//	 │               ▼     pause is over │
//	 │            pausing ───────────────┘
//	 │               │ refused as often as the rules say
//	 │ Resume        ▼
//	 └───────── interrupted, or: the letter is dropped
//
// It calls this machine alone, whatever address it was given: one elsewhere can
// be set, and hears nothing. Nothing of an address or a key is in its logs. It
// keeps nothing on disk, and knows nothing of what it sends.
package outbox
