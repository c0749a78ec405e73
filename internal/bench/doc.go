// Package bench measures Feira as it is: real streams on a real broker, the
// real scheduler, pool and worker, joined as internal/app joins them.
//
// It owns the worlds that are measured in and the arithmetic of the figures.
// It promises that each bench begins in an empty world and is bounded in time
// and count, that a bench whose requests are not all served fails instead of
// giving a figure, and that ratios are of one run on one broker. Beside each
// figure stands what the broker alone makes of the same messages; failover has
// nothing beside it, because a broker without a scheduler has none to lose.
// Rates of throughput and turns are medians of several rounds. It measures
// publisher, broker and workers in one process, so figures are those of the
// whole on this machine and not of a part alone. Runs that came twice or over a
// cap are counted by failover only. The gateway's clients that wait are a process
// of their own, where the program has one for them: see [Crowd].
//
// A report in a folder holds the figures against what the design wants; a run
// alone does not judge.
package bench
