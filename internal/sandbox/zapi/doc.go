// Package zapi is the sandbox's Z-API: WhatsApp messages that reach nobody.
//
// The secrets are in the path, /instances/{id}/token/{token}, and in the header
// Client-Token; all three must belong to one account. Every number has WhatsApp,
// but for those that end in 0000. What is sent is kept, and makes its receiver a
// contact with a chat; an account has three labels. Sending the same text twice sends it twice.
//
// What becomes of a message is told to the addresses that PUT
// /update-webhook-{name} and /update-every-webhooks set, unsigned, as there: the
// address is the secret. Whoever a message is for reads it with POST
// /_sandbox/z-api/messages/{id}, and writes to the number with POST
// /_sandbox/z-api/instances/{id}/messages and {"phone", "message"}.
package zapi
