// Package mcp calls the tools of MCP servers that tenants attach.
//
// It owns the client: sessions over streamable HTTP and over the standard
// input and output of commands, lists of tools, and how results are read. The
// protocol is spoken by the official Go SDK.
//
// It promises that
//   - a session reaches the endpoint of its own environment alone, over TLS and
//     at public addresses unless the operator allows the origin; a command runs
//     only where the operator allows it, with an environment of its own;
//   - the credential is written by a RoundTripper, or into the environment of
//     the command, and neither it nor anything of its known forms comes back;
//   - nothing is sent before the arguments fit the tool's schema, as far as the
//     schema can be checked in bounded time;
//   - a call is sent once. One that perhaps arrived ends as unknown, unless it
//     is known to read only; it is sent again only where the server said that it
//     knows nothing of the session;
//   - a server's word on what its tools do counts only where the tenant's
//     attachment says so: each call has another effect each time otherwise;
//   - one tenant's servers delay and use up nothing of another's: lanes, lists
//     and sessions are kept by tenant, server and environment, each bounded;
//   - what a server says has bounded size and is clean text.
//
// Sessions are opened when they are needed and closed when nobody uses them:
//
//	          open                 idle, old, credential or endpoint changed
//	(none) ──────────► in the pool ────────────────────────────► closing
//	   ▲                    │ broken by the server                  │
//	   └────────────────────┴───────────────────────────────────────┘
//
// It does not decide who may call what, offers a server nothing (no sampling,
// no elicitation, no roots), and knows no store of credentials.
//
// Rough edges: numbers of structured results pass through float64, as the SDK
// reads them, unless the server sends the same as text; a stream for
// notifications that ends is not opened again before the session is, so that a
// changed list is then seen after the list's time to live; servers that speak
// only the HTTP with events of 2024-11-05 are not reached.
package mcp
