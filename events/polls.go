package events

import (
	"crypto/sha256"
	"strings"
	"time"
)

// What polls share.
const (
	BucketPolls  = "feira_polls" // what a call of ours made and no webhook tells of -> what is known of it
	DurablePolls = "polls"       // on SESSIONS: what calls made -> BucketPolls
	// PollsAge is how long an entry is kept that nobody writes: one whose object has
	// ended is known to have, for longer than the broker may deliver the call again.
	PollsAge = 30 * 24 * time.Hour
)

// Keys in [BucketPolls] begin with what they are of.
const (
	pollObjects = "object"
	pollLanes   = "lane"
)

// KeyPoll names an object of a tenant's at a server. No object of one tenant's
// has the key of another's, whatever a provider calls it.
func KeyPoll(tenant TenantID, server string, environment Environment, object string) string {
	sum := sha256.Sum256([]byte(object))
	return strings.Join([]string{pollObjects, string(tenant), server, string(environment), lowerBase32(sum[:20])}, ".")
}

// KeyPollLane names who looks after all of a tenant's objects at a server.
func KeyPollLane(tenant TenantID, server string, environment Environment) string {
	return strings.Join([]string{pollLanes, string(tenant), server, string(environment)}, ".")
}

// IsPoll reports whether a key is an object's, and not a lane's.
func IsPoll(key string) bool { return strings.HasPrefix(key, pollObjects+".") }
