package bus

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/nats-io/nats.go"
)

// denialPublish is how the broker's report calls a publication.
const denialPublish = "Publish"

// deniedSubject finds the subject in the broker's report of a permissions
// violation.
var deniedSubject = regexp.MustCompile(`(Publish|Subscription) to "(\S+)"`)

func parseDenial(err error) (kind, subject string, ok bool) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return "", "", false
	}
	found := deniedSubject.FindStringSubmatch(err.Error())
	if found == nil {
		return "", "", false
	}
	return found[1], found[2], true
}

func forbidden(kind, subject string) error {
	if kind == denialPublish {
		return fmt.Errorf("%w: publishing to %s", ErrForbidden, subject)
	}
	return fmt.Errorf("%w: subscribing to %s", ErrForbidden, subject)
}
