// Package gateway is Feira over HTTP: the protocol that CodeSpar's public SDK
// speaks, on the queue, the caps and the meter that every other producer uses.
//
// It owns the wire: paths, bodies, status codes, errors, the frames of a stream,
// and the OpenAPI document that describes them. It declares what it needs of the
// world as ports, and knows neither broker nor database.
//
// It promises that
//   - it executes nothing itself: what spends is published as a request, waits
//     its turn like any other, and is answered from the session's log;
//   - a key reaches its own tenants and its own environment alone, and what lies
//     beyond is answered like what does not exist;
//   - every error is one flat object with a code, and tells nothing of what is
//     behind the gateway;
//   - a client that leaves ends its wait and not its turn, and one that comes
//     back goes on behind the last event that it has seen.
//
// It does not decide who goes next, keeps no session, and holds no provider's
// credential longer than it takes to seal it.
package gateway
