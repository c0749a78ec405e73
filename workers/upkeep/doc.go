// Package upkeep does what is due by the clock and not by anybody's request.
//
// It owns [Renewals], which renews the tokens of accounts that nobody uses: an
// agent's call renews what it needs, but an account that rests longer than its
// refresh token lasts would have to be connected again by a person. It owns
// [Lookout] and [Polls], which ask providers that send no webhooks for what our
// calls made there, and post what is new as if the provider had sent it.
//
// It owns [Selfcheck] too, which looks after the webhooks of connections: that a
// provider has stopped telling, or is about to, is raised, and what it did not
// tell is found by listing and fed in like a webhook. One connection at a time;
// what several processes find counts once, behind [Post].
//
// Of renewals it promises a bounded pace: one at a time, with a pause after each.
// One process of it is enough, and any number do no harm: who renews is decided
// by the credential's own claim, behind [Renewer]. An account whose provider
// refuses for good is logged as a warning, and asked for again once a day while
// its token lasts.
//
// Of polls it promises that one process asks for a tenant's objects at a server
// at a time; that a process which dies at any point loses no news and doubles
// none, for they are posted before they are written down as told, under an id
// that follows from them; that who fails, or asks for a pause, is waited for by
// its own connection alone; and that nobody is asked for a tenant that is paused,
// gone, or without the server.
//
// It opens no credential and knows no provider's address; it does not decide
// whether a renewal is due or what is news (internal/poll does), only when to ask. Where
// news go from here is workers/webhooks' matter.
package upkeep
