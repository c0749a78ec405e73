// Package zapi is the sandbox's Z-API: WhatsApp messages that reach nobody.
//
// The secrets are in the path, /instances/{id}/token/{token}, and in the header
// Client-Token; all three must belong to one account. Every number has WhatsApp,
// but for those that end in 0000. What is sent is kept, and makes its receiver a
// contact with a chat; an account has three labels. Sending the same text twice sends it twice.
package zapi
