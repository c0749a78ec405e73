package scheduling

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

const (
	// surveyStep is how many tenants a survey looks at between two other things
	// that the leader does: some ten microseconds, a hundred when all are cold.
	surveyStep = 256
	// maxQuestions is how many questions wait for the next survey.
	maxQuestions = 64
)

// status is what the leader's loop keeps to tell how its queue stands. To find
// the oldest request and those who have waited longest, all busy tenants must
// be looked at; that is a survey, and it is done in steps between which the loop
// goes on. One survey answers every question that was there when it began.
type status struct {
	questions chan question
	survey    *survey // nil when none is on
	always    chan struct{}
}

type question struct {
	asked  events.QueueAsked
	answer func(events.QueueTold)
}

func newStatus() status {
	always := make(chan struct{})
	close(always)
	return status{questions: make(chan question, maxQuestions), always: always}
}

// open is where the next question comes from; none is taken during a survey,
// which might have passed what it asks for.
func (s *status) open() <-chan question {
	if s.survey != nil {
		return nil
	}
	return s.questions
}

// turn is ready while a survey wants another step.
func (s *status) turn() <-chan struct{} {
	if s.survey == nil {
		return nil
	}
	return s.always
}

func (l *leader) listenToQuestions(ctx context.Context) error {
	if l.cfg.Questions == nil {
		return nil
	}
	err := l.cfg.Questions.WatchQueue(ctx, func(asked events.QueueAsked, answer func(events.QueueTold)) {
		select {
		case l.status.questions <- question{asked: asked, answer: answer}:
		case <-ctx.Done():
		}
	})
	if err != nil {
		return fmt.Errorf("listening to questions: %w", err)
	}
	return nil
}

// survey begins a survey, for the questions given and all that wait, unless one
// is on.
func (l *leader) survey(questions ...question) {
	if l.status.survey != nil {
		return
	}
	for more := true; more; {
		select {
		case next := <-l.status.questions:
			questions = append(questions, next)
		default:
			more = false
		}
	}
	l.status.survey = newSurvey(questions)
}

// look takes the next step of the survey: it looks at some more tenants, or,
// when all are seen, answers one question.
func (l *leader) look() {
	s, now := l.status.survey, l.cfg.Now()
	if !s.seen {
		s.from = l.queue.Survey(s.from, surveyStep, now, s.see)
		if s.from > 0 {
			return
		}
		s.end()
		if l.caughtUp {
			l.cfg.Observer.Stands(l.figures(now))
		}
	} else if len(s.questions) > 0 {
		next := s.questions[0]
		s.questions = s.questions[1:]
		told := l.tell(next.asked, now)
		// Writing it out is nothing that the loop should wait for.
		l.tasks.Go(func() { next.answer(told) })
	}
	if len(s.questions) == 0 {
		l.status.survey = nil
	}
}

// figures sums the survey up.
func (l *leader) figures(now time.Time) Figures {
	s := l.status.survey
	slots, workers := l.roster.count(now)
	figures := Figures{
		Queued: l.queue.Queued(), Running: l.queue.Running(), Slots: slots, Workers: workers, Busy: s.busy,
		DesiredWorkers: desiredWorkers(l.queue.Running()+s.startable, slots, workers, l.cfg.WorkerSlots),
	}
	if s.queued && figures.Queued > 0 {
		figures.OldestWait = l.arrivals.waited(s.oldest, now)
	}
	return figures
}

func (l *leader) tell(asked events.QueueAsked, now time.Time) events.QueueTold {
	figures := l.figures(now)
	told := events.QueueTold{
		Leader: l.cfg.ID, Time: now.UTC(), Rebuilding: !l.caughtUp,
		Queued: figures.Queued, Running: figures.Running, Slots: figures.Slots, Workers: figures.Workers,
		DesiredWorkers: figures.DesiredWorkers, OldestWait: seconds(figures.OldestWait), Busy: figures.Busy,
		Tenants: []events.QueueTenant{},
	}
	if asked.Tenant != "" {
		if snapshot, known := l.queue.Snapshot(asked.Tenant, now); known {
			told.Tenants = append(told.Tenants, l.tellLine(l.tellTenant(snapshot, now), asked.Most(), now))
		}
		return told
	}
	for _, id := range l.status.survey.first(asked.Most()) {
		snapshot, known := l.queue.Snapshot(id, now)
		if known && snapshot.Queued+snapshot.Running > 0 {
			told.Tenants = append(told.Tenants, l.tellTenant(snapshot, now))
		}
	}
	return told
}

func (l *leader) tellTenant(s fair.Snapshot, now time.Time) events.QueueTenant {
	told := events.QueueTenant{
		Tenant: s.Tenant, Queued: s.Queued, Running: s.Running, Waits: string(s.Waits),
		Share: rounded(s.Share), SlotSeconds: rounded(s.SlotSeconds),
		Limits: events.QueueLimits{Concurrency: s.Limits.Concurrency, Weight: s.Limits.Weight, Paused: s.Limits.Paused},
	}
	if s.Queued > 0 {
		told.OldestWait = seconds(l.arrivals.waited(s.Oldest, now))
	}
	told.Limits.Backlog = s.Limits.Backlog
	if s.Limits.Rate > 0 {
		told.Limits.Rate, told.Limits.Burst = s.Limits.Rate, s.Limits.Burst
		told.Limits.RatePeriod = s.Limits.Period.Seconds()
	}
	return told
}

// tellLine adds the first of what the tenant has queued.
func (l *leader) tellLine(told events.QueueTenant, limit int, now time.Time) events.QueueTenant {
	line, whole := l.queue.Line(told.Tenant, limit, now)
	told.Partial = !whole
	for _, w := range line {
		received, _ := l.arrivals.of(w.Sequence)
		told.Requests = append(told.Requests, events.QueuedRequest{
			Place: w.Place, Sequence: w.Sequence, Session: w.Session, Kind: w.Kind, Priority: w.Priority.String(),
			Received: received, Waited: seconds(l.arrivals.waited(w.Sequence, now)), NotBefore: w.NotBefore, Reason: string(w.Reason),
		})
	}
	return told
}

func seconds(d time.Duration) float64 { return rounded(d.Seconds()) }

// rounded is to the thousandth: more digits would tell nothing.
func rounded(x float64) float64 { return math.Round(x*1000) / 1000 }
