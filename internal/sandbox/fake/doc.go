// Package fake is what the six provider fakes have in common: accounts that
// know each other not, calls, answers, effects and ids.
//
// It promises that a request reaches exactly the state of the account whose
// credential it carries, one request of an account at a time, and that an
// effect is in the journal before its answer leaves. Ids follow from the seed,
// the account and a counter alone.
//
// People who act from outside ([Act]) have no credential: whoever pays a Pix has
// its code and nothing else.
//
// How a provider identifies a caller, words a refusal and keeps its promises is
// the [Dialect] that each fake brings.
package fake
