package bus

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Drift is a setting that is not as the topology wants it.
type Drift struct {
	// Stream is the stream, "stream/consumer" or "KV_bucket".
	Stream string
	Field  string
	Have   string
	Want   string
	// Applied is set when the setting has been changed to Want.
	Applied bool
}

// String implements fmt.Stringer for logs.
func (d Drift) String() string {
	return fmt.Sprintf("%s: %s is %s, want %s", d.Stream, d.Field, d.Have, d.Want)
}

// setting is one field that is compared. apply changes it in the configuration
// that goes back to the broker; nil where the broker cannot change it, or where
// doing so would drop messages.
type setting struct {
	field      string
	have, want string
	apply      func()
}

func compare(stream string, settings []setting, apply bool) (drifts []Drift, changed bool) {
	for _, s := range settings {
		if s.have == s.want {
			continue
		}
		applied := apply && s.apply != nil
		if applied {
			s.apply()
			changed = true
		}
		drifts = append(drifts, Drift{Stream: stream, Field: s.field, Have: s.have, Want: s.want, Applied: applied})
	}
	return drifts, changed
}

// streamSettings compares what Feira relies on. Limits are applied only to
// become wider: the broker drops what a narrower one has no room for.
func streamSettings(have, want *jetstream.StreamConfig) []setting {
	return []setting{
		{field: "subjects", have: strings.Join(have.Subjects, " "), want: strings.Join(want.Subjects, " ")},
		{field: "retention", have: have.Retention.String(), want: want.Retention.String()},
		{field: "storage", have: have.Storage.String(), want: want.Storage.String()},
		{field: "discard", have: have.Discard.String(), want: want.Discard.String()},
		{
			field: "discard_new_per_subject", have: strconv.FormatBool(have.DiscardNewPerSubject),
			want: strconv.FormatBool(want.DiscardNewPerSubject),
		},
		limit("max_msgs", &have.MaxMsgs, want.MaxMsgs),
		limit("max_bytes", &have.MaxBytes, want.MaxBytes),
		limit("max_msgs_per_subject", &have.MaxMsgsPerSubject, want.MaxMsgsPerSubject),
		limit("max_msg_size", &have.MaxMsgSize, want.MaxMsgSize),
		age(have, want.MaxAge),
		{
			field: "duplicate_window", have: have.Duplicates.String(), want: want.Duplicates.String(),
			apply: func() { have.Duplicates = want.Duplicates },
		},
		{
			field: "allow_direct", have: strconv.FormatBool(have.AllowDirect), want: strconv.FormatBool(want.AllowDirect),
			apply: func() { have.AllowDirect = want.AllowDirect },
		},
		{
			field: "republish", have: republication(have.RePublish), want: republication(want.RePublish),
			apply: func() { have.RePublish = want.RePublish },
		},
		replicas(have, want.Replicas),
	}
}

func consumerSettings(have, want *jetstream.ConsumerConfig) []setting {
	return []setting{
		{field: "ack_policy", have: have.AckPolicy.String(), want: want.AckPolicy.String()},
		{field: "filter", have: filters(have), want: filters(want)},
		{
			field: "ack_wait", have: have.AckWait.String(), want: want.AckWait.String(),
			apply: func() { have.AckWait = want.AckWait },
		},
		{
			field: "max_deliver", have: strconv.Itoa(have.MaxDeliver), want: strconv.Itoa(want.MaxDeliver),
			apply: func() { have.MaxDeliver = want.MaxDeliver },
		},
		{
			field: "max_ack_pending", have: strconv.Itoa(have.MaxAckPending), want: strconv.Itoa(want.MaxAckPending),
			apply: func() { have.MaxAckPending = want.MaxAckPending },
		},
		{field: "max_waiting", have: strconv.Itoa(have.MaxWaiting), want: strconv.Itoa(want.MaxWaiting)},
	}
}

// limit compares a bound for which 0 and less mean none.
func limit[T int32 | int64](field string, have *T, want T) setting {
	text := func(value T) string {
		if value <= 0 {
			return "unlimited"
		}
		return strconv.FormatInt(int64(value), 10)
	}
	s := setting{field: field, have: text(*have), want: text(want)}
	if want <= 0 || *have > 0 && want > *have {
		s.apply = func() { *have = max(want, -1) }
	}
	return s
}

func age(have *jetstream.StreamConfig, want time.Duration) setting {
	s := setting{field: "max_age", have: have.MaxAge.String(), want: want.String()}
	if want == 0 || have.MaxAge > 0 && want > have.MaxAge {
		s.apply = func() { have.MaxAge = want }
	}
	return s
}

func replicas(have *jetstream.StreamConfig, want int) setting {
	return setting{
		field: "replicas", have: strconv.Itoa(have.Replicas), want: strconv.Itoa(want),
		apply: func() { have.Replicas = want },
	}
}

func republication(r *jetstream.RePublish) string {
	if r == nil {
		return "none"
	}
	text := r.Source + " -> " + r.Destination
	if r.HeadersOnly {
		text += " (headers only)"
	}
	return text
}

func filters(config *jetstream.ConsumerConfig) string {
	all := slices.Clone(config.FilterSubjects)
	if config.FilterSubject != "" {
		all = append(all, config.FilterSubject)
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, " ")
}
