// Package proxy is what a caller may say in a raw call: a request of a
// provider's HTTP API that no tool of its manifest makes.
//
// A raw call is a tool call like any other: its tool is called "proxy_get",
// "proxy_post" and so on, so that its safety follows from its name, and the rest
// of it are the arguments. So it waits its turn, is written down, counted, capped
// and budgeted, and is held against the same walls.
//
// It owns those names, and the rules that hold at every provider: paths that stay
// where they are put, and headers that carry no credential. Both are looked at
// before a call is published, because what is published is kept, and again where
// it is sent, because others publish too. What is true of one provider alone, its
// hosts and the paths that it keeps closed, is the provider's own to know.
package proxy
