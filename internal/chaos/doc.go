// Package chaos proves what Feira promises when its processes die: it starts
// real ones, kills and freezes them under load, and judges what is left by the
// session log alone.
//
// It owns the judge ([Trial]), which knows nothing of how Feira works: from the
// events in the order in which the broker stored them it works out again what
// ran at which moment, and holds that against what was asked for and the
// tenants' caps. It promises to name every break of a promise, with the place
// in the log; its own test plants each of them.
//
// It is never part of the binary. The variables FEIRA_CHAOS_DURATION and
// FEIRA_CHAOS_SEED make the storm longer, or make one come again.
package chaos
