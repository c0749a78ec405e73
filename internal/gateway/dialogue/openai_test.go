package dialogue_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/sandbox/model"
	"github.com/feira-dev/feira/internal/testenv"
)

// agentScript is an agent that uses the stock client of OpenAI, installed, and
// what runs it.
func agentScript(t *testing.T) (node, script string) {
	t.Helper()
	testenv.Require(t, "the stock client of OpenAI", func() error {
		var told, complaints bytes.Buffer
		install := exec.CommandContext(t.Context(), filepath.Join("..", "..", "..", ".ci", "openai-client"))
		install.Stdout, install.Stderr = &told, &complaints
		if err := install.Run(); err != nil {
			return fmt.Errorf("%w: %s", err, complaints.String())
		}
		script = strings.TrimSpace(told.String())
		var err error
		node, err = exec.LookPath("node")
		return err
	})
	return node, script
}

// The stock client of OpenAI drives an agent whose tools come from a session and
// whose calls go to it: nothing of Feira is in the application.
func TestStockOpenAIClientDrivesAnAgent(t *testing.T) {
	t.Parallel()
	node, script := agentScript(t)
	b := Start(t, nil)
	a := application{base: b.Dev.HTTP, key: b.Dev.Key}
	modelURL := sandboxModel(t)
	for _, of := range shops() {
		var out, complaints bytes.Buffer
		agent := exec.CommandContext(t.Context(), node, script)
		agent.Env = []string{
			"FEIRA_URL=" + b.Dev.HTTP, "FEIRA_KEY=" + b.Dev.Key, "FEIRA_TENANT=" + of.tenant, "FEIRA_SERVERS=" + strings.Join(of.servers, ","),
			"FEIRA_MESSAGE=" + of.order, "MODEL_URL=" + modelURL, "MODEL_NAME=" + model.Name,
		}
		agent.Stdout, agent.Stderr = &out, &complaints
		require.NoError(t, agent.Run(), complaints.String())
		var told struct {
			Session, Message string
			Rounds           int
			Calls            []struct {
				Tool, ID string
				Success  bool
				Error    *string
			}
		}
		require.NoError(t, json.Unmarshal(out.Bytes(), &told), out.String())
		require.Len(t, told.Calls, strings.Count(of.order, "/call "), out.String())
		require.Equal(t, 2, told.Rounds)
		require.Contains(t, told.Message, "Made the calls asked for.")
		for _, call := range told.Calls {
			require.True(t, call.Success, out.String())
			require.True(t, strings.HasPrefix(call.ID, "tc_"), out.String())
		}
		var session struct {
			Status string
			Calls  int `json:"tool_calls_count"`
		}
		a.ask(t, asked{"GET", a.base + "/v1/sessions/" + told.Session, a.key}, nil, &session)
		require.Equal(t, "closed", session.Status)
		require.Equal(t, len(told.Calls), session.Calls)
	}
	require.Eventually(t, func() bool { // what was called is billed
		billed, _ := a.usage(t)
		return billed["tenant_acme"] == 4 && billed["tenant_loja"] == 3
	}, patience, 50*time.Millisecond)
}
