// Package webhooks turns what providers send into facts of sessions and into
// requests.
//
//	WEBHOOKS ──► once? ──► routed by the tenant's rules ──► webhook.received in a
//	                │                                        session's log
//	                └─ told before: dropped              └──► a request in REQUESTS
//	SESSIONS ──► [Index]: what our own calls made ──► whose object an event is of
//	             and the references that they gave ─┘
//
// It owns that an event counts once: the first delivery writes down, under the
// event's name in the connection, what is to become of it, and every later one,
// of this process or of another, carries out the same until it is done. It
// promises that a crash at any point loses nothing and doubles nothing: the log
// is asked whether the fact stands there, and a request's id follows from the
// event. An event that no rule takes stands in the log of the session that made
// its object, else in the connection's inbox.
//
// Events of one object are told in the order of the provider's time as far as
// they come together; one that comes after a later one is marked late, since
// what was told cannot be taken back.
//
// What cannot be read, or is of nobody, becomes a dead letter with the reason.
//
// What came unsigned is asked for again at the provider, at the tenant's own
// rate, before any rule holds for it ([Asker]). Where the provider does not say
// the same the event is told as unconfirmed, and only rules that say so take it.
//
// What upkeep finds at a provider that was not told comes in like a webhook
// ([events.Webhook.Found]). It counts once, and not if it was told; nor does what
// the provider tells of it later.
//
// It does not verify: gateways do, before they take a webhook in. It does not
// pull, acknowledge or wait; whoever hands it deliveries does.
package webhooks
