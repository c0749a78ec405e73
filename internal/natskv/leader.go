package natskv

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The broker's own API for reading a message by the stream's leader. The
// client library reads buckets by any replica, which may lag.
const (
	apiMessage = "$JS.API.STREAM.MSG.GET.KV_"
	kvSubject  = "$KV."
)

// latest is the newest entry of a bucket whose key matches.
type latest struct {
	value    []byte
	revision uint64 // 0: there is none, nor a trace of one
	created  time.Time
	removed  bool
}

// latest asks the leader, so what was written before the question is in the
// answer. keys is one key, or has wildcards.
func (b *bucket) latest(ctx context.Context, keys string) (latest, error) {
	question, err := json.Marshal(map[string]string{"last_by_subj": kvSubject + b.Bucket() + "." + keys})
	if err != nil {
		return latest{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, watchPatience)
	defer cancel()
	answer, err := b.client.conn.RequestWithContext(ctx, apiMessage+b.Bucket(), question)
	if err != nil {
		return latest{}, fmt.Errorf("asking the leader of bucket %s: %w", b.Bucket(), err)
	}
	var told struct {
		Message struct {
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &told); err != nil {
		return latest{}, fmt.Errorf("asking the leader of bucket %s: %w", b.Bucket(), err)
	}
	switch {
	case told.Error != nil && told.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return latest{}, nil
	case told.Error != nil:
		return latest{}, fmt.Errorf("asking the leader of bucket %s: %w", b.Bucket(), told.Error)
	case told.Message.Sequence == 0:
		return latest{}, fmt.Errorf("asking the leader of bucket %s: %w: no sequence", b.Bucket(), ErrMalformed)
	}
	found := latest{value: told.Message.Data, revision: told.Message.Sequence, created: told.Message.Time}
	if len(told.Message.Header) > 0 {
		header, err := nats.DecodeHeadersMsg(told.Message.Header)
		if err != nil {
			return latest{}, fmt.Errorf("asking the leader of bucket %s: %w", b.Bucket(), err)
		}
		found.removed = header.Get("KV-Operation") != "" || header.Get(jetstream.MarkerReasonHeader) != ""
	}
	return found, nil
}
