// Package egress is the way out to hosts that others run, and of what they say
// the way in.
//
// It owns the wires, which guard the address that is dialled; the gate, which
// lets requests pass to named origins alone; the lanes, which bound what one
// tenant has under way at one server and leave a broken one alone; and the
// cleaning of text that strangers wrote.
//
// It promises that a request leaves encrypted by TLS 1.2 or newer, for public
// addresses, unless whoever makes the wire says otherwise; that no tenant's
// lane is narrowed by another's; and that a scrubbed text holds none of the
// secrets that the scrubber was told. It does not know what is called there.
package egress
