package outbox

import "slices"

// Letter is one thing that is told.
type Letter struct {
	// ID is the event's, where the provider's events have one.
	ID string
	// Kind is the provider's name of what happened.
	Kind string
	Body []byte
}

// Rules are how a provider treats those whom it tells.
type Rules struct {
	// Taken reports whether a status means that the letter was taken.
	Taken func(status int) bool
	// Patience is how often in a row letters may be refused.
	Patience int
	// Interrupts says that the queue stops when the patience is at its end, until
	// it is resumed; otherwise the letter is dropped and the next one's turn comes.
	Interrupts bool
	// Loose says that a refused letter goes behind those that wait.
	Loose bool
}

// Success is any status of the two hundreds.
func Success(status int) bool { return status/100 == 2 }

// QueueParams say what a queue is.
type QueueParams struct {
	Server, Account string
	Address         Address
	Rules           Rules
}

// Queue holds the letters for one address. It is safe for concurrent use.
type Queue struct {
	office *Office
	nudge  chan struct{} // ends a pause early; holds one signal

	// The office's lock guards what follows.
	params      QueueParams
	letters     []Letter
	last        *Letter // the one that was taken last
	busy        bool    // somebody sends, or is called to
	closed      bool
	interrupted bool
	refused     int // in a row
	sent        int // taken
	dropped     int
}

// Standing is how a queue does.
type Standing struct {
	Server  string `json:"server"`
	Account string `json:"account"`
	// Sent letters were taken; Dropped ones were given up.
	Sent    int `json:"sent"`
	Waiting int `json:"waiting"`
	Dropped int `json:"dropped"`
	// Refused counts refusals since a letter was taken.
	Refused     int  `json:"refused"`
	Interrupted bool `json:"interrupted"`
}

// Open returns a new queue.
func (o *Office) Open(params QueueParams) *Queue {
	queue := &Queue{office: o, nudge: make(chan struct{}, 1), params: params}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queues = append(o.queues, queue)
	return queue
}

// Put adds a letter, which leaves as soon as its turn comes. It waits for
// nothing. An address elsewhere is told nothing, and nothing is kept for it.
func (q *Queue) Put(letter Letter) {
	q.office.mu.Lock()
	defer q.office.mu.Unlock()
	if q.closed || !q.params.Address.Here() {
		return
	}
	q.letters = append(q.letters, letter)
	if !q.interrupted {
		q.office.call(q)
	}
}

// Again sends the letter once more that was taken last, as providers do that
// promise at least one delivery; false where none was.
func (q *Queue) Again() bool {
	q.office.mu.Lock()
	last := q.last
	q.office.mu.Unlock()
	if last == nil {
		return false
	}
	q.Put(*last)
	return true
}

// Move gives the queue another address, with what waits in it.
func (q *Queue) Move(to Address) {
	q.office.mu.Lock()
	defer q.office.mu.Unlock()
	q.params.Address = to
}

// Loosen says whether refused letters go behind those that wait.
func (q *Queue) Loosen(loose bool) {
	q.office.mu.Lock()
	defer q.office.mu.Unlock()
	q.params.Rules.Loose = loose
}

// Interrupt stops the queue; what is put into it waits for Resume.
func (q *Queue) Interrupt() {
	q.office.mu.Lock()
	defer q.office.mu.Unlock()
	q.interrupted = true
	q.hurry()
}

// Resume lets an interrupted queue go on, and forgets the refusals.
func (q *Queue) Resume() {
	q.office.mu.Lock()
	defer q.office.mu.Unlock()
	q.interrupted, q.refused = false, 0
	q.hurry()
	if len(q.letters) > 0 && !q.closed {
		q.office.call(q)
	}
}

// Close forgets what waits, and takes nothing more.
func (q *Queue) Close() {
	q.office.mu.Lock()
	defer q.office.mu.Unlock()
	q.closed, q.letters = true, nil
	q.office.queues = slices.DeleteFunc(q.office.queues, func(other *Queue) bool { return other == q })
	q.hurry()
}

// hurry ends a pause. The lock is held.
func (q *Queue) hurry() {
	select {
	case q.nudge <- struct{}{}:
	default:
	}
}

// Standing tells how the queue does.
func (q *Queue) Standing() Standing {
	q.office.mu.Lock()
	defer q.office.mu.Unlock()
	return q.standing()
}

// standing is Standing with the lock held.
func (q *Queue) standing() Standing {
	return Standing{
		Server: q.params.Server, Account: q.params.Account, Sent: q.sent, Waiting: len(q.letters), Dropped: q.dropped,
		Refused: q.refused, Interrupted: q.interrupted,
	}
}
