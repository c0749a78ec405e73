// Package provider calls the tools of the tenants' providers: Stripe, Asaas,
// Correios and whatever else has a manifest.
//
// It owns the manifests, one YAML file per server, with parts in the folder of
// its name where it is long, which say everything that differs between
// providers: hosts, authentication, tools with the JSON Schemas of their
// arguments and answers, where each argument goes, what is at stake, what
// sending a call twice would do and how its effect is found again; and where
// public connectors are wrong, by whose word. It owns the client that obeys them.
//
// It promises that
//   - nothing is sent before the arguments fit the tool's schema, and no
//     argument can change the host or the route of a call;
//   - a credential is written into a request by a RoundTripper only, and
//     neither it nor anything of its known forms comes back in a result, an
//     error or a log line;
//   - a call that is not repeatable is sent again only where the provider
//     certainly has not acted on it: the connection was never made, or the
//     answer was 429 or a 401 to a stale token;
//   - a call that perhaps had its effect ends as unknown, never as an error;
//   - a request leaves for its manifest's hosts in the session's environment
//     alone, encrypted, and for public addresses, unless an operator says where;
//   - a pair of tokens is renewed before the access token ends, by one worker
//     of all, and is stored before it is used; a provider that refuses to is
//     left alone for a while by all;
//   - a person connects an account by [Client.AuthorizeURL] and [Client.Connect];
//     the operator's application is lent to a request, and never stored with a
//     tenant's credential;
//   - a server that is down, or asks for a pause, is left alone by the tenant
//     that met it, and no tenant has more than its share under way; a call that
//     was kept back for this was not sent, and says so;
//   - a call ends in bounded time, and what it returns has bounded size and is
//     clean text.
//
// It does not decide who may call what, keeps no state but tokens and what
// each lane remembers in memory, and knows no store of credentials: those come through [Credentials]
// and go back through [Renewals]; the operator's own through [Registrations].
//
// A rough edge: a worker that dies between a provider's answer to a refresh
// token and the store loses the pair, and the account has to be connected
// again; no provider here lets a refresh token be presented twice.
package provider
