// Package poll decides what is asked of providers that send no webhooks: which
// objects, when, in which batches, and what an answer says that is news.
//
//	a call made it ─► [Watch] ──due──► batch ──answer──► [News]... ─► webhooks
//	                     ▲                                  │
//	                     └── due again, later and later ◄───┴──► ended
//
// It owns the kinds of objects that are polled and how each is asked for
// ([Kind]), what of a call's answer is such an object ([Found]), when one is due
// ([Watch]), which are asked for together ([Schedule]), and how the answers of
// Correios and Nuvem Fiscal are read ([Read]).
//
// It promises that the same news of the same object has the same id, whoever
// finds it and however often; that a pause grows with the time since the last
// news, spread by a hash and never by chance; that no request asks for more than
// the provider takes; and that every watch ends: by a final status, or by age.
//
// It keeps no time, sends nothing and writes nothing down. What it reads is a
// stranger's word: data, never orders.
package poll
