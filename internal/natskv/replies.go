package natskv

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// Bounds of idempotency keys and of the answers that are kept under them.
const (
	MaxReplyScope = 512
	MaxReplyKey   = 255
	// MaxReply is the largest answer that is kept: its body and its headers.
	MaxReply = 64 << 10
	// DefaultReplyClaim is how long a claim holds that is not extended.
	DefaultReplyClaim = time.Minute
	// minReplyClaim is the least that the broker counts in.
	minReplyClaim = time.Second
)

// RepliesConfig says how answers are kept.
type RepliesConfig struct {
	// Claim is how long whoever began has for finishing, or for extending. It is
	// the broker that counts it, in whole seconds. Defaults to [DefaultReplyClaim].
	Claim time.Duration
}

// Validate names what is wrong.
func (c RepliesConfig) Validate() error {
	if claim := cmp.Or(c.Claim, DefaultReplyClaim); claim < minReplyClaim || claim > events.RepliesAge {
		return fmt.Errorf("%w: replies: claim is %s, want %s to %s", ErrConfig, claim, minReplyClaim, events.RepliesAge)
	}
	return nil
}

// Replies keeps the answers that were given under idempotency keys, for
// [events.RepliesAge], so that who asks again gets the same answer and nothing
// is done twice:
//
//	none ──Begin──► claimed ──Finish──► answered, for a day
//	  ▲               │
//	  └──Abandon, or not finished in time
//
// Of several who begin under one key, one gets the claim. One who dies with it
// blocks the key for the claim's time and no longer; then the next may begin,
// although nobody knows how far the first one came. So this is for acts that do
// no harm when they are done again, because their own id is found to be known.
//
// Answers lie in the bucket as they are: one that holds a secret is not to be
// given to Finish. It is safe for concurrent use.
type Replies struct {
	bucket *bucket
	claim  time.Duration
}

// Replies opens the bucket of answers.
func (c *Client) Replies(ctx context.Context, config RepliesConfig) (*Replies, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	bucket, err := c.open(ctx, events.BucketReplies)
	if err != nil {
		return nil, err
	}
	return &Replies{bucket: bucket, claim: cmp.Or(config.Claim, DefaultReplyClaim)}, nil
}

// ReplyState is what is known of an idempotency key.
type ReplyState string

// States.
const (
	// ReplyFresh is a key that has just been claimed for the caller.
	ReplyFresh ReplyState = "fresh"
	// ReplyInProgress is one whose answer somebody else is about to give.
	ReplyInProgress ReplyState = "in_progress"
	// ReplyDone is one that was answered.
	ReplyDone ReplyState = "done"
	// ReplyConflict is one that was used with another body.
	ReplyConflict ReplyState = "conflict"
)

// Reply is an answer.
type Reply struct {
	Status int                 `json:"status"`
	Header map[string][]string `json:"header,omitempty"`
	Body   []byte              `json:"body,omitempty"`
}

func (r Reply) size() int {
	size := len(r.Body)
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	return size
}

// BeginParams are what a request is known by.
type BeginParams struct {
	// Scope is within what Key is unique: whose request, and to do what. One
	// caller's keys must not meet another's.
	Scope string
	// Key is the idempotency key.
	Key string
	// Body is the SHA-256 of what was asked.
	Body [sha256.Size]byte
}

func (p BeginParams) validate() error {
	switch {
	case p.Scope == "" || len(p.Scope) > MaxReplyScope:
		return fmt.Errorf("%w: scope has %d bytes, want 1 to %d", ErrInvalid, len(p.Scope), MaxReplyScope)
	case p.Key == "" || len(p.Key) > MaxReplyKey:
		return fmt.Errorf("%w: idempotency key has %d bytes, want 1 to %d", ErrInvalid, len(p.Key), MaxReplyKey)
	}
	return nil
}

// place is where the bucket has it: a hash, since a key may be any text.
func (p BeginParams) place() string {
	sum := sha256.Sum256([]byte(strconv.Itoa(len(p.Scope)) + ":" + p.Scope + p.Key))
	return hex.EncodeToString(sum[:])
}

// Beginning is what came of beginning.
type Beginning struct {
	State ReplyState
	// Claim is the caller's to end, when State is [ReplyFresh]; nil otherwise.
	Claim *ReplyClaim
	// Reply is what to answer, when State is [ReplyDone].
	Reply Reply
}

// replyRecord is the value of an entry. A claim has a token; an answer that was
// not kept is one without a reply.
type replyRecord struct {
	Body  string `json:"body_hash"`
	Token string `json:"token,omitempty"`
	Reply *Reply `json:"reply,omitempty"`
}

// Begin claims a key, or says what has become of it. After an error the key may
// be claimed for nobody, until the claim runs out.
//
// Where there was an answer that was too large to be kept, the same body begins
// afresh; another one is a conflict all the same.
func (r *Replies) Begin(ctx context.Context, params BeginParams) (Beginning, error) {
	if err := params.validate(); err != nil {
		return Beginning{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, watchPatience)
	defer cancel()
	claim := &ReplyClaim{
		replies: r, place: params.place(), record: replyRecord{Body: hex.EncodeToString(params.Body[:]), Token: rand.Text()},
	}
	for {
		entry, err := r.bucket.latest(ctx, claim.place)
		if err != nil {
			return Beginning{}, fmt.Errorf("reading an idempotency key: %w", err)
		}
		if entry.revision != 0 && !entry.removed {
			var found replyRecord
			if err := json.Unmarshal(entry.value, &found); err != nil {
				return Beginning{}, fmt.Errorf("reading an idempotency key: %w: %w", ErrMalformed, err)
			}
			switch {
			case found.Body != claim.record.Body:
				return Beginning{State: ReplyConflict}, nil
			case found.Reply != nil:
				return Beginning{State: ReplyDone, Reply: *found.Reply}, nil
			case found.Token != "":
				return Beginning{State: ReplyInProgress}, nil
			}
		}
		claim.revision = entry.revision
		err = claim.write(ctx, r.claim)
		switch {
		case err == nil:
			return Beginning{State: ReplyFresh, Claim: claim}, nil
		case !refused(err):
			return Beginning{}, fmt.Errorf("claiming an idempotency key: %w", err)
		}
	}
}

// ReplyClaim is the right to answer under an idempotency key. It belongs to one
// goroutine.
type ReplyClaim struct {
	replies  *Replies
	place    string
	record   replyRecord
	revision uint64
}

// Finish keeps the answer. One that is too large is [ErrReplyTooLarge], and then
// it is kept that there was one. A claim that has run out is [ErrClaimLost].
func (c *ReplyClaim) Finish(ctx context.Context, reply Reply) error {
	tooLarge := reply.size() > MaxReply
	c.record.Token = ""
	if !tooLarge {
		c.record.Reply = &reply
	}
	if err := c.insist(ctx, func() error { return c.write(ctx, 0) }); err != nil {
		return fmt.Errorf("keeping an answer: %w", err)
	}
	if tooLarge {
		return fmt.Errorf("%w: it has %d bytes, at most %d are kept", ErrReplyTooLarge, reply.size(), MaxReply)
	}
	return nil
}

// Extend has the claim run out later: its whole time from now.
func (c *ReplyClaim) Extend(ctx context.Context) error {
	if err := c.insist(ctx, func() error { return c.write(ctx, c.replies.claim) }); err != nil {
		return fmt.Errorf("extending a claim: %w", err)
	}
	return nil
}

// Abandon gives the claim up, so that the next may begin at once.
func (c *ReplyClaim) Abandon(ctx context.Context) error {
	err := c.insist(ctx, func() error {
		return c.replies.bucket.Purge(ctx, c.place, jetstream.LastRevision(c.revision), jetstream.PurgeTTL(events.ReplyMarkerAge))
	})
	if err != nil {
		return fmt.Errorf("giving up a claim: %w", err)
	}
	return nil
}

// insist writes upon the claim, or is [ErrClaimLost]. A bucket with replicas
// refuses as well while it is not done with an earlier write of the same place,
// our own perhaps, whose answer has come already: so what stands there decides.
func (c *ReplyClaim) insist(ctx context.Context, write func() error) error {
	for {
		err := write()
		if !refused(err) {
			return err
		}
		entry, err := c.replies.bucket.latest(ctx, c.place)
		if err != nil {
			return err
		}
		if entry.revision != c.revision {
			return ErrClaimLost
		}
	}
}

// write writes the record if nobody has written since. The broker takes it away
// after lifetime; 0 leaves it as long as anything stays.
func (c *ReplyClaim) write(ctx context.Context, lifetime time.Duration) error {
	data, err := json.Marshal(c.record)
	if err != nil {
		return err
	}
	b := c.replies.bucket
	options := []jetstream.PublishOpt{jetstream.WithExpectLastSequencePerSubject(c.revision), jetstream.WithRetryAttempts(0)}
	if lifetime > 0 {
		options = append(options, jetstream.WithMsgTTL(lifetime.Round(time.Second)))
	}
	stored, err := b.client.js.PublishMsg(ctx, &nats.Msg{Subject: kvSubject + b.Bucket() + "." + c.place, Data: data}, options...)
	if wrongSequence(err) {
		return fmt.Errorf("%w: %w", jetstream.ErrKeyExists, err)
	}
	if err != nil {
		return err
	}
	c.revision = stored.Sequence
	return nil
}
