// Package upkeep does what is due by the clock and not by anybody's request.
//
// It owns [Renewals], which renews the tokens of accounts that nobody uses: an
// agent's call renews what it needs, but an account that rests longer than its
// refresh token lasts would have to be connected again by a person.
//
// It promises a bounded pace: one renewal at a time, with a pause after each.
// One process of it is enough, and any number do no harm: who renews is decided
// by the credential's own claim, behind [Renewer]. An account whose provider
// refuses for good is logged as a warning, and asked for again once a day while
// its token lasts.
//
// It opens no credential and knows no provider; it does not decide whether a
// renewal is due, only when to ask.
package upkeep
