package gcra

import "time"

const (
	// LeaseTime is how long a lease's tokens may be spent. What is left of them
	// then is lost, lest a quiet process hoard and let go at once.
	LeaseTime = time.Second
	// crumbs are so few tokens that a lease may take all there are. Of more it
	// takes half at most, so that something is left for the other processes. A
	// lease may always be that large; larger than that, it is at most what comes
	// back in LeaseTime.
	crumbs = 8
	// closedTime is how long at most a process that has emptied the bucket lets
	// tokens gather, rather than fetch each as it falls due.
	closedTime = 50 * time.Millisecond
)

// Lease is one process's part of a bucket that it shares with others, so that a
// busy one has to do with the others only now and then. It takes tokens out of
// the bucket before it spends them, hence
//
//	spent by all, at any time       <= Burst + Rate x time since the first
//	spent by all, in any time span  <= Burst + Rate x (span + LeaseTime)
//
// while the limit is the same; a new one counts from when a token was last taken.
// The more a process spends, the more it takes at a time; at first it is one.
// The zero Lease is empty. It belongs to one goroutine at a time.
type Lease struct {
	limit  Limit // that it was taken under
	left   int64 // tokens to spend
	until  int64 // when they are lost
	size   int64 // how many were asked for last
	closed int64 // until when the bucket holds no token
	seen   Bucket
}

// Spend takes a token of the lease; false when it has none.
func (l *Lease) Spend(now int64) bool {
	if l.left == 0 || now >= l.until {
		return false
	}
	l.left--
	return true
}

// Closed reports whether the bucket was seen to hold no token until a time that
// is still to come, or too few to be worth the asking: others take tokens, nobody
// puts any in. A limit that has changed is reason to ask.
func (l *Lease) Closed(now int64, limit Limit) bool { return l.limit == limit && now < l.closed }

// Borrow takes tokens out of the bucket into the lease, and returns how many; 0
// when the bucket has none. Both are changed: work on copies where the bucket is
// shared, and keep them when the others have not changed it meanwhile.
func (l *Lease) Borrow(b *Bucket, now int64, limit Limit) int64 {
	b.Parts = min(b.Parts, limit.Full()) // the limit may have become lower
	b.Refill(now, limit)
	switch {
	case l.size == 0:
		l.size = 1
	case l.left == 0 && now < l.until:
		l.size *= 2
	case l.left > 0:
		l.size = max(1, l.size/2)
	}
	bound := max(crumbs, int64(limit.Rate)*int64(LeaseTime/Tick)/limit.Token())
	l.size = min(l.size, bound)
	whole := b.Whole(limit)
	granted := min(whole, l.size)
	if whole > crumbs {
		granted = min(granted, whole/2)
	}
	b.Take(granted, limit)
	l.limit, l.left, l.until, l.closed = limit, granted, now+int64(LeaseTime/Tick), 0
	if granted == whole {
		l.closed = b.opens(now, bound, limit)
	}
	l.seen = *b
	return granted
}

// opens is when it is worth while to ask an empty bucket again: when it holds
// so many tokens, but no more than half of what it can hold, lest any be lost;
// and never before it holds one, nor, from then on, later than closedTime.
func (b *Bucket) opens(now, tokens int64, l Limit) int64 {
	worth := max(1, min(tokens, int64(l.Burst)/2))
	return max(b.Due(l), min(b.reaches(worth*l.Token(), l), now+int64(closedTime/Tick)))
}

// Decision is whether something may be done now, and what to tell who asked.
type Decision struct {
	Allowed bool
	// Limit is how often it may be done at once after a quiet time.
	Limit int
	// Remaining is how often it may be done now. Other processes may have taken
	// some since it was last known.
	Remaining int
	// Reset is how long it takes until Remaining is Limit, if nothing is done.
	Reset time.Duration
	// RetryAfter is how long to wait before asking again; 0 when Allowed.
	RetryAfter time.Duration
}

// Decide tells what is known after a token was spent or refused.
func (l *Lease) Decide(allowed bool, now int64) Decision {
	bucket, limit := l.seen, l.limit
	bucket.Refill(now, limit)
	if now < l.until {
		bucket.Return(l.left, limit)
	}
	decision := Decision{
		Allowed: allowed, Limit: limit.Burst, Remaining: int(bucket.Whole(limit)),
		Reset: span(now, bucket.reaches(limit.Full(), limit)),
	}
	if !allowed {
		decision.Remaining, decision.RetryAfter = 0, max(Tick, span(now, l.closed))
	}
	return decision
}

func span(from, to int64) time.Duration { return time.Duration(max(0, to-from)) * Tick }
