package mcp

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
)

// TestTheSDKsExampleServer holds the client to the "everything" server of the
// Go SDK, through both transports.
func TestTheSDKsExampleServer(t *testing.T) {
	t.Parallel()
	command := example(t, "everything")
	at := address(t)
	serve(t, nil, command, "-http", at)
	awaitAddress(t, at)
	for transport, endpoint := range map[string]tenant.Endpoint{
		"streamable HTTP": {URL: "http://" + at}, "stdio": {Command: []string{command}},
	} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			b := setup(t, endpoint, nil)
			require.Equal(t, []string{"box__greet", "box__log", "box__ping", "box__roots", "box__sample"}, b.names(t))
			require.Contains(t, b.logs.String(), `greet (structured): with its server's, the name has not at most 64`)

			require.Equal(t, "Hi Ana", requireOK(t, b.call(t, "greet", `{"name":"Ana"}`)))
			refused := b.call(t, "greet", `{"nome":"Ana"}`)
			requireFault(t, refused, events.ToolRefused, events.FaultInvalidArguments)
			require.Contains(t, refused.Fault.Message, "is missing name")
			missing := b.call(t, "greet (structured)", `{"name":"Ana"}`)
			requireFault(t, missing, events.ToolRefused, events.FaultUnknownTool)
			require.Contains(t, missing.Fault.Message, "there are greet, log, ping, roots, sample")

			requireOK(t, b.call(t, "ping", `{}`))
			failed := b.call(t, "sample", `{}`)
			requireFault(t, failed, events.ToolError, events.FaultProviderError)
			require.Contains(t, failed.Fault.Message, "box says: sampling failed")
		})
	}
}

// TestTheSDKsConformanceServer holds the client to the server that the SDK is
// itself held to: every kind of content, errors, and a list that changes.
func TestTheSDKsConformanceServer(t *testing.T) {
	t.Parallel()
	command := example(t, "everything-server")
	stateful, stateless := address(t), address(t)
	serve(t, nil, command, "-http", stateful, "-stateless=false")
	serve(t, nil, command, "-http", stateless)
	awaitAddress(t, stateful)
	awaitAddress(t, stateless)
	for transport, endpoint := range map[string]tenant.Endpoint{
		"streamable HTTP": {URL: "http://" + stateful}, "streamable HTTP without sessions": {URL: "http://" + stateless}, "stdio": {Command: []string{command}},
	} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			b := setup(t, endpoint, nil)
			require.Contains(t, b.names(t), "box__test_simple_text")
			for tool, want := range map[string]string{
				"test_simple_text":            "This is a simple text response for testing.",
				"test_image_content":          "[image image/png, ",
				"test_audio_content":          "[audio audio/wav, ",
				"test_embedded_resource":      "[resource test://embedded-resource]\n",
				"test_multiple_content_types": "[image image/png, ",
				"test_tool_with_progress":     "",
				"test_tool_with_logging":      "",
			} {
				require.Contains(t, requireOK(t, b.call(t, tool, `{}`)), want, tool)
			}
			failed := b.call(t, "test_error_handling", `{}`)
			requireFault(t, failed, events.ToolError, events.FaultProviderError)
			require.Contains(t, failed.Fault.Message, "box says: ")
			asking := b.call(t, "test_input_required_result_sampling", `{}`)
			require.NotEqual(t, events.ToolOK, asking.Status)

			const added = "box____transient_tool_for_list_changed"
			require.NotContains(t, b.names(t), added)
			requireOK(t, b.call(t, "test_trigger_tool_change", `{}`))
			require.Eventually(t, func() bool { return slices.Contains(b.names(t), added) }, 5*time.Second, 20*time.Millisecond, "the change was not heard")
		})
	}
}

// TestTheReferenceServer holds the client to the server that the protocol's
// authors publish for its clients, which is written in another language.
func TestTheReferenceServer(t *testing.T) {
	t.Parallel()
	node, script := reference(t)
	at := address(t)
	_, port, err := net.SplitHostPort(at)
	require.NoError(t, err)
	serve(t, []string{"PORT=" + port}, node, script, "streamableHttp")
	awaitAddress(t, at)
	for transport, endpoint := range map[string]tenant.Endpoint{
		"streamable HTTP": {URL: "http://" + at + "/mcp"}, "stdio": {Command: []string{node, script, "stdio"}},
	} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			b := setup(t, endpoint, nil)
			b.attached.TrustAnnotations = true
			require.Subset(t, b.names(t), []string{"box__echo", "box__get-sum", "box__get-env", "box__trigger-long-running-operation"})
			for _, test := range []struct{ tool, arguments, want string }{
				{"echo", `{"message":"ol\u00e1"}`, "Echo: olá"},
				{"get-sum", `{"a":2,"b":3}`, "The sum of 2 and 3 is 5."},
				{"get-structured-content", `{"location":"New York"}`, `{"temperature":33,"conditions":"Cloudy","humidity":82}`},
				{"get-tiny-image", `{}`, "[image image/png, "},
				{"get-resource-links", `{"count":2}`, "\n[link to Text Resource 2: demo://resource/dynamic/text/2]"},
				{"get-resource-reference", `{"resourceType":"Text","resourceId":1}`, "[resource demo://resource/dynamic/text/1]\nResource 1: "},
			} {
				require.Contains(t, requireOK(t, b.call(t, test.tool, test.arguments)), test.want, test.tool)
			}
			refused := b.call(t, "get-sum", `{"a":"2","b":3}`)
			requireFault(t, refused, events.ToolRefused, events.FaultInvalidArguments)
			require.Contains(t, refused.Fault.Message, "/a: want number, got string")
			failed := b.call(t, "get-resource-reference", `{"resourceType":"Text","resourceId":-1}`)
			requireFault(t, failed, events.ToolError, events.FaultProviderError)
			require.Contains(t, failed.Fault.Message, "box says: ")

			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			stopped := b.client.Call(ctx, b.request("trigger-long-running-operation", `{"duration":60,"steps":60}`))
			require.NotEqual(t, events.ToolOK, stopped.Status)
			require.Contains(t, stopped.Fault.Message, "box did not answer in time")
			require.Less(t, time.Since(began), 5*time.Second)
			require.Equal(t, "Echo: again", requireOK(t, b.call(t, "echo", `{"message":"again"}`)), "the session went with the call")
		})
	}
}

func reference(t *testing.T) (node, script string) {
	t.Helper()
	testenv.Require(t, "the reference server of MCP", func() error {
		var told, complaints bytes.Buffer
		install := exec.CommandContext(t.Context(), filepath.Join("..", "..", ".ci", "mcp-reference"))
		install.Stdout, install.Stderr = &told, &complaints
		if err := install.Run(); err != nil {
			return fmt.Errorf("%w: %s", err, complaints.String())
		}
		script = strings.TrimSpace(told.String())
		var err error
		node, err = exec.LookPath("node")
		return err
	})
	node, err := filepath.Abs(node)
	require.NoError(t, err)
	return node, script
}
