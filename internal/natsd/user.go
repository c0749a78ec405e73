package natsd

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"

	"golang.org/x/crypto/bcrypt"

	"github.com/feira-dev/feira/events"
)

// maxPassword is the longest password that bcrypt tells apart, in bytes.
const maxPassword = 72

// User may connect to the server.
type User struct {
	Name string
	// Password is plain, or its bcrypt hash. The server keeps a hash alone.
	Password string
	// Permissions narrow what the user may do within its account. The zero
	// value is everything.
	Permissions Permissions
	// Account is the user's place on the server. The zero value is the main
	// account, where Feira's own streams are.
	Account Account
}

// Permissions list subjects, wildcards allowed. What is not listed is refused.
type Permissions struct {
	Publish   []string
	Subscribe []string
}

// Account is a subject space of its own: what is published in one account is
// not heard in another. Users whose accounts have the same name share it.
type Account struct {
	Name string
	// JetStream gives the account streams of its own.
	JetStream bool
	// Services are subjects of the main account to which users of this account
	// may publish. Answers find their way back.
	Services []string
	// Feeds are subjects of the main account that users of this account may hear.
	Feeds []string
}

// OperatorUser has full rights in the main account: every part of Feira's own
// connects as one.
func OperatorUser(name, password string) User {
	return User{Name: name, Password: password}
}

// TenantUser is the user of a tenant's own systems, named for the tenant. It may
// publish to the tenant's requests and hear the tenant's feed. Answers, such as
// the broker's acknowledgement of a request, come to subjects under
// [InboxPrefix], so its client must be told to use that.
//
// Permissions alone would not keep it in: they bind the subject of a message
// but not its reply subject, and the broker publishes its acknowledgement
// there in its own name. A tenant that asked for the answer to a request on the
// subject of another tenant's configuration would overwrite it. Hence the
// account: a reply subject means something within the tenant's own walls only,
// where nobody else listens.
func TenantUser(tenant events.TenantID, password string) User {
	requests, feed := events.RequestsSubject(tenant), events.FeedSubject(tenant, "")
	return User{
		Name:     string(tenant),
		Password: password,
		Permissions: Permissions{
			Publish:   []string{requests},
			Subscribe: []string{feed, InboxPrefix(tenant) + ".>"},
		},
		Account: Account{
			Name:     "tenant_" + string(tenant),
			Services: []string{requests},
			Feeds:    []string{feed},
		},
	}
}

// InboxPrefix is where the broker may answer a tenant's client.
func InboxPrefix(tenant events.TenantID) string { return "_INBOX_" + string(tenant) }

var accountName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

func validateUsers(users []User, noAuthUser string) error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}
	names := make(map[string]bool, len(users))
	for i, user := range users {
		if user.Name == "" {
			fault("users[%d]: name is empty", i)
		}
		if names[user.Name] {
			fault("users[%d]: name %q is used twice", i, user.Name)
		}
		names[user.Name] = true
		if user.Password == "" && user.Name != noAuthUser {
			fault("users[%d] (%s): password is empty", i, user.Name)
		}
		if user.Name == noAuthUser && isHash(user.Password) {
			fault("users[%d] (%s): password is a hash, which the user for clients without credentials may not have", i, user.Name)
		}
		if len(user.Password) > maxPassword {
			fault("users[%d] (%s): password has %d bytes, at most %d are allowed", i, user.Name, len(user.Password), maxPassword)
		}
		if name := user.Account.Name; name == mainAccount || name == systemAccount || name != "" && !accountName.MatchString(name) {
			fault("users[%d] (%s): account %q is reserved, or has other characters than letters, digits, _ and -", i, user.Name, name)
		}
	}
	if noAuthUser != "" && !names[noAuthUser] {
		fault("no_auth_user %q is not among users", noAuthUser)
	}
	return errors.Join(faults...)
}

// secret is what the server is to keep of the user's password: a hash. A low
// cost is enough for it, because it is never written down, and a client waits
// for it on every connection.
//
// The user for clients without credentials is another matter. The server lets
// them in by presenting what it keeps as if they had, so that is kept plain;
// where there is none, one that nobody knows.
func (u User) secret(noAuthUser string) (string, error) {
	if u.Name == noAuthUser {
		return cmp.Or(u.Password, rand.Text()), nil
	}
	if isHash(u.Password) {
		return u.Password, nil
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(u.Password), bcrypt.MinCost)
	if err != nil {
		return "", fmt.Errorf("hashing the password of user %s: %w", u.Name, err)
	}
	return string(hash), nil
}

func isHash(password string) bool {
	_, err := bcrypt.Cost([]byte(password))
	return err == nil
}
