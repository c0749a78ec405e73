package natsd

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// mainAccount holds Feira's streams. It is always this one, whoever the
	// users are, because a stream is stored under its account's name.
	mainAccount = "FEIRA"
	// systemAccount is the server's own.
	systemAccount = "SYS"
	anonymous     = "anonymous"
)

// maxConsumers is how many consumers a stream may have. Feira needs a handful
// of durable ones a stream, and one more for each reader of the moment. The
// number is the server's own default, spelled out because more would not be
// growth but a leak, and each costs four goroutines and its share of restart
// time; a leak is better refused at the thousandth than found at the millionth.
const maxConsumers = 1_000

// options lays a valid configuration out for the server.
func (c Config) options(dir string) (*server.Options, error) {
	port := c.Port
	if port == 0 {
		port = server.RANDOM_PORT
	}
	options := &server.Options{
		ServerName:             c.Name,
		Host:                   c.Host,
		Port:                   port,
		MaxPayload:             int32(c.MaxPayload), //nolint:gosec // Validate holds it under 64 MiB.
		NoSigs:                 true,                // signals are the process's, not the server's
		NoLog:                  true,                // the server's own log files; ours is set on the server
		DisableJetStreamBanner: true,
		JetStream:              true,
		StoreDir:               dir,
		SyncAlways:             c.SyncAlways,
		JetStreamMaxMemory:     DefaultMaxMemory,
		JetStreamMaxStore:      c.MaxStore,
		JetStreamLimits:        server.JSLimitOpts{DefaultMaxConsumers: maxConsumers},
	}
	if len(c.Users) == 0 {
		c.Users = []User{OperatorUser(anonymous, rand.Text())}
		c.NoAuthUser = anonymous
	}
	options.NoAuthUser = c.NoAuthUser
	if err := c.addAccounts(options); err != nil {
		return nil, err
	}
	if c.Cluster != nil {
		c.Cluster.addTo(options)
	}
	return options, nil
}

// addAccounts has the server read its accounts from a configuration text,
// because only there may an account be given JetStream before it starts. JSON
// is such a text. It holds no user and so no secret.
func (c Config) addAccounts(options *server.Options) error {
	text, err := json.Marshal(map[string]any{"accounts": accountTexts(c.Users), "system_account": systemAccount})
	if err != nil {
		return fmt.Errorf("laying out accounts: %w", err)
	}
	if err := options.ProcessConfigString(string(text)); err != nil {
		return fmt.Errorf("laying out accounts: %w", err)
	}
	accounts := make(map[string]*server.Account, len(options.Accounts))
	for _, account := range options.Accounts {
		accounts[account.Name] = account
	}
	for _, user := range c.Users {
		secret, err := user.secret(c.NoAuthUser)
		if err != nil {
			return err
		}
		options.Users = append(options.Users, &server.User{
			Username:    user.Name,
			Password:    secret,
			Permissions: user.Permissions.forServer(),
			Account:     accounts[user.Account.nameOrMain()],
		})
	}
	return nil
}

type (
	accountText struct {
		JetStream string       `json:"jetstream,omitempty"`
		Exports   []exportText `json:"exports,omitempty"`
		Imports   []importText `json:"imports,omitempty"`
	}
	exportText struct {
		Service string `json:"service,omitempty"`
		Stream  string `json:"stream,omitempty"`
		// Accounts that may import it; all others are refused.
		Accounts []string `json:"accounts"`
	}
	importText struct {
		Service *placeText `json:"service,omitempty"`
		Stream  *placeText `json:"stream,omitempty"`
	}
	placeText struct {
		Account string `json:"account"`
		Subject string `json:"subject"`
	}
)

// accountTexts describes the accounts of all users. The main account exports
// each imported subject to just the accounts that import it.
func accountTexts(users []User) map[string]accountText {
	texts := map[string]accountText{systemAccount: {}}
	home := accountText{JetStream: "enabled"}
	exports := map[exportKey]int{} // index in home.Exports
	export := func(key exportKey, account string) {
		i, known := exports[key]
		if !known {
			i = len(home.Exports)
			exports[key] = i
			home.Exports = append(home.Exports, exportText{Service: key.service, Stream: key.stream})
		}
		home.Exports[i].Accounts = append(home.Exports[i].Accounts, account)
	}
	for _, user := range users {
		account := user.Account
		if account.Name == "" {
			continue
		}
		text := texts[account.Name]
		if account.JetStream {
			text.JetStream = "enabled"
		}
		for _, subject := range account.Services {
			place := importText{Service: &placeText{Account: mainAccount, Subject: subject}}
			if !slices.ContainsFunc(text.Imports, place.same) {
				text.Imports = append(text.Imports, place)
				export(exportKey{service: subject}, account.Name)
			}
		}
		for _, subject := range account.Feeds {
			place := importText{Stream: &placeText{Account: mainAccount, Subject: subject}}
			if !slices.ContainsFunc(text.Imports, place.same) {
				text.Imports = append(text.Imports, place)
				export(exportKey{stream: subject}, account.Name)
			}
		}
		texts[account.Name] = text
	}
	texts[mainAccount] = home
	return texts
}

type exportKey struct{ service, stream string }

func (i importText) same(other importText) bool {
	same := func(a, b *placeText) bool { return a == b || a != nil && b != nil && *a == *b }
	return same(i.Service, other.Service) && same(i.Stream, other.Stream)
}

func (a Account) nameOrMain() string {
	if a.Name == "" {
		return mainAccount
	}
	return a.Name
}

// forServer spells out that what is not listed is refused: to the server, an
// empty list means everything.
func (p Permissions) forServer() *server.Permissions {
	if len(p.Publish) == 0 && len(p.Subscribe) == 0 {
		return nil
	}
	only := func(subjects []string) *server.SubjectPermission {
		if len(subjects) == 0 {
			return &server.SubjectPermission{Deny: []string{">"}}
		}
		return &server.SubjectPermission{Allow: slices.Clone(subjects)}
	}
	return &server.Permissions{Publish: only(p.Publish), Subscribe: only(p.Subscribe)}
}

func (c *ClusterConfig) addTo(options *server.Options) {
	options.Cluster = server.ClusterOpts{Name: c.Name, Host: c.Host, Port: c.Port, Username: c.User, Password: c.Password}
	for _, peer := range c.Peers {
		route := &url.URL{Scheme: "nats-route", Host: peer}
		if c.User != "" {
			route.User = url.UserPassword(c.User, c.Password)
		}
		options.Routes = append(options.Routes, route)
	}
}
