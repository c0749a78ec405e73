package natsd_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/feira-dev/feira/internal/natsd"
)

func TestConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	require.NoError(t, err)
	user := natsd.OperatorUser("u", "p")
	for want, config := range map[string]natsd.Config{
		"name \"a b\" has a space":                   {Name: "a b"},
		"port is 65536":                              {Port: 65536},
		"max_payload is 10 bytes":                    {MaxPayload: 10},
		"max_store is -1 bytes":                      {MaxStore: -1},
		"users is empty":                             {Host: "0.0.0.0"},
		"users[0]: name is empty":                    {Users: []natsd.User{{Password: "p"}}},
		"users[1]: name \"u\" is used twice":         {Users: []natsd.User{user, user}},
		"users[0] (u): password is empty":            {Users: []natsd.User{{Name: "u"}}},
		"users[0] (u): password has 73 bytes":        {Users: []natsd.User{{Name: "u", Password: strings.Repeat("x", 73)}}},
		"users[0] (u): password is a hash":           {Users: []natsd.User{{Name: "u", Password: string(hash)}}, NoAuthUser: "u"},
		"users[0] (u): account \"SYS\" is reserved":  {Users: []natsd.User{{Name: "u", Password: "p", Account: natsd.Account{Name: "SYS"}}}},
		"no_auth_user \"v\" is not among users":      {Users: []natsd.User{user}, NoAuthUser: "v"},
		"cluster: name is \"\"":                      {Cluster: &natsd.ClusterConfig{Port: 1, Peers: []string{"h:1"}}},
		"cluster: port is 0":                         {Cluster: &natsd.ClusterConfig{Name: "c", Peers: []string{"h:1"}}},
		"cluster: peers is empty":                    {Cluster: &natsd.ClusterConfig{Name: "c", Port: 1}},
		"cluster: peers[0] is \"h\"":                 {Cluster: &natsd.ClusterConfig{Name: "c", Port: 1, Peers: []string{"h"}}},
		"cluster: user and password belong together": {Cluster: &natsd.ClusterConfig{Name: "c", Port: 1, Peers: []string{"h:1"}, User: "u"}},
		"cluster: user is empty":                     {Cluster: &natsd.ClusterConfig{Name: "c", Port: 1, Peers: []string{"h:1"}, Host: "0.0.0.0"}},
	} {
		_, err := natsd.New(config)
		require.ErrorIs(t, err, natsd.ErrConfig)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), string(hash), "a fault shows no password")
	}
}

func TestConfigJoinsFaults(t *testing.T) {
	t.Parallel()
	err := natsd.Config{Port: -1, MaxStore: -1, NoAuthUser: "u"}.Validate()
	for _, field := range []string{"port", "max_store", "no_auth_user"} {
		require.ErrorContains(t, err, field)
	}
	require.NoError(t, natsd.Config{}.Validate())
}
