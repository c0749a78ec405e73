package events_test

import (
	"regexp"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

// channel is one kind of subject with what travels on it.
type channel struct {
	name        string
	address     string
	stream      string // "" for core NATS, which stores nothing
	description string
	messages    []string
	// reply is the message that answers, where one does; it goes to the subject
	// that the question names.
	reply string
	// action is Feira's: it receives what others send.
	action string
}

func channels() []channel {
	const (
		tenant   = events.TenantID("{tenant}")
		session  = events.SessionID("{session}")
		provider = "{provider}"
	)
	var log []string
	for _, event := range events.Catalogue() {
		if name := event.EventType(); name != events.TypeUsageRecorded && name != events.TypeLetterDied &&
			name != events.TypeDeliveryQueued && name != events.TypeDeliveryAttempted {
			log = append(log, string(name))
		}
	}
	return []channel{
		{
			name: "requests", address: events.RequestsSubject(tenant), stream: events.StreamRequests, action: "receive",
			description: "What a tenant asks for. The broker refuses the next one of a tenant whose backlog is full.",
			messages:    []string{"request"},
		},
		{
			name: "runs", address: events.RunsSubject(tenant, "{run_key}"), stream: events.StreamRuns, action: "send",
			description: "Grants: one outstanding run for each session, one for each call.",
			messages:    []string{"run"},
		},
		{
			name: "sessions", address: events.SessionSubject(tenant, session), stream: events.StreamSessions, action: "send",
			description: "The log of a session: its facts, in order, each appended at the expected sequence.",
			messages:    log,
		},
		{
			name: "feed", address: events.FeedSubject(tenant, session), action: "send",
			description: "The events of a session, after they are stored.",
			messages:    log,
		},
		{
			name: "usage", address: events.UsageSubject(tenant, "{meter}"), stream: events.StreamUsage, action: "send",
			description: "Billable facts, for billing systems.",
			messages:    []string{string(events.TypeUsageRecorded)},
		},
		{
			name: "webhooks", address: events.WebhooksSubject(tenant, provider), stream: events.StreamWebhooks, action: "receive",
			description: "Webhooks of providers, proven to be theirs, as they came. Gateways alone publish here.",
			messages:    []string{"webhook"},
		},
		{
			name: "triggers", address: events.TriggersSubject(tenant, "{trigger}", "{lane}"), stream: events.StreamTriggers, action: "send",
			description: "What endpoints of tenants are still to be told, one subject for each object that events are about.",
			messages:    []string{string(events.TypeDeliveryQueued)},
		},
		{
			name: "deliveries", address: events.DeliveriesSubject(tenant, "{trigger}"), stream: events.StreamDeliveries, action: "send",
			description: "What came of the last attempts to tell a trigger's endpoint.",
			messages:    []string{string(events.TypeDeliveryAttempted)},
		},
		{
			name: "dead", address: events.DeadSubject(tenant, "{stream}"), stream: events.StreamDead, action: "send",
			description: "What was given up, with the reason, for people to look at.",
			messages:    []string{string(events.TypeLetterDied)},
		},
		{
			name: "control", address: events.ControlSubject(tenant, session), action: "receive",
			description: "Orders to a running session.",
			messages:    []string{"control"},
		},
		{
			name: "delta", address: events.DeltaSubject(tenant, session), action: "send",
			description: "Text of a session's model as it arrives: a preview, some of which may be missing.",
			messages:    []string{"model_delta"},
		},
		{
			name: "done", address: "feira.done." + string(tenant) + ".{sequence}.{outcome}", action: "send",
			description: "Hints that the run of a request has left its stream, served or released. They have no body.",
		},
		{
			name: "workers", address: events.WorkerSubject("{worker}"), action: "send",
			description: "What a worker says of itself once a second.",
			messages:    []string{"worker_announced"},
		},
		{
			name: "ask_queue", address: events.SubjectAskQueue, action: "receive",
			description: "Questions of operators about the queue, which the leading scheduler answers.",
			messages:    []string{"queue_asked"}, reply: "queue_told",
		},
	}
}

// asyncAPI lays the contract out as an AsyncAPI 3.0 document.
func asyncAPI(t *testing.T) []byte {
	t.Helper()
	var nodes, operations yaml.MapSlice
	for _, channel := range channels() {
		nodes = append(nodes, yaml.MapItem{Key: channel.name, Value: channel.node()})
		operation := yaml.MapSlice{
			{Key: "action", Value: channel.action},
			{Key: "channel", Value: ref("#/channels/" + channel.name)},
		}
		if channel.reply != "" {
			nodes = append(nodes, yaml.MapItem{Key: channel.name + "_reply", Value: channel.replyNode()})
			operation = append(operation, yaml.MapItem{Key: "reply", Value: yaml.MapSlice{
				{Key: "address", Value: yaml.MapSlice{{Key: "location", Value: "$message.header#/reply"}}},
				{Key: "channel", Value: ref("#/channels/" + channel.name + "_reply")},
			}})
		}
		operations = append(operations, yaml.MapItem{Key: channel.action + "_" + channel.name, Value: operation})
	}
	document := yaml.MapSlice{
		{Key: "asyncapi", Value: "3.0.0"},
		{Key: "info", Value: yaml.MapSlice{
			{Key: "title", Value: "Feira"},
			{Key: "version", Value: "1.0.0"},
			{Key: "description", Value: "Agents of many tenants on NATS JetStream. Any client may publish requests and read the feed of its own tenant.\nEvents are CloudEvents 1.0 in binary mode. Generated from package events by `task gen`."},
			{Key: "license", Value: yaml.MapSlice{{Key: "name", Value: "Apache-2.0"}}},
		}},
		{Key: "defaultContentType", Value: "application/json"},
		{Key: "servers", Value: yaml.MapSlice{{Key: "local", Value: yaml.MapSlice{
			{Key: "host", Value: "localhost:4222"},
			{Key: "protocol", Value: "nats"},
		}}}},
		{Key: "channels", Value: nodes},
		{Key: "operations", Value: operations},
		{Key: "components", Value: yaml.MapSlice{{Key: "messages", Value: messageNodes()}}},
	}
	text, err := yaml.MarshalWithOptions(document, yaml.IndentSequence(true), yaml.UseLiteralStyleIfMultiline(true))
	require.NoError(t, err)
	return append([]byte("# Generated by `task gen` from package events; do not edit.\n"), text...)
}

func ref(target string) yaml.MapSlice { return yaml.MapSlice{{Key: "$ref", Value: target}} }

func (c channel) node() yaml.MapSlice {
	node := yaml.MapSlice{{Key: "address", Value: c.address}}
	description := c.description
	if c.stream != "" {
		description += " Stored in stream " + c.stream + "."
	}
	node = append(node, yaml.MapItem{Key: "description", Value: description})
	if len(c.messages) > 0 {
		var refs yaml.MapSlice
		for _, message := range c.messages {
			refs = append(refs, yaml.MapItem{Key: message, Value: ref("#/components/messages/" + message)})
		}
		node = append(node, yaml.MapItem{Key: "messages", Value: refs})
	}
	if parameters := parametersOf(c.address); len(parameters) > 0 {
		node = append(node, yaml.MapItem{Key: "parameters", Value: parameters})
	}
	return node
}

// replyNode has no address: that is the reply subject of each question.
func (c channel) replyNode() yaml.MapSlice {
	return yaml.MapSlice{
		{Key: "address", Value: nil},
		{Key: "description", Value: "The answer to a question on " + c.address + "."},
		{Key: "messages", Value: yaml.MapSlice{{Key: c.reply, Value: ref("#/components/messages/" + c.reply)}}},
	}
}

func messageNodes() yaml.MapSlice {
	var nodes yaml.MapSlice
	for _, event := range events.Catalogue() {
		name := string(event.EventType())
		nodes = append(nodes, yaml.MapItem{Key: name, Value: yaml.MapSlice{
			{Key: "name", Value: name},
			{Key: "headers", Value: ref("./headers/event.schema.json")},
			{Key: "payload", Value: ref("./events/" + name + ".schema.json")},
		}})
	}
	nodes = append(
		nodes,
		yaml.MapItem{Key: "request", Value: yaml.MapSlice{
			{Key: "name", Value: "request"},
			{Key: "headers", Value: ref("./headers/request.schema.json")},
			{Key: "payload", Value: ref("./messages/request.schema.json")},
		}},
		yaml.MapItem{Key: "webhook", Value: yaml.MapSlice{
			{Key: "name", Value: "webhook"},
			{Key: "headers", Value: ref("./headers/webhook.schema.json")},
		}},
		yaml.MapItem{Key: "run", Value: yaml.MapSlice{
			{Key: "name", Value: "run"},
			{Key: "headers", Value: ref("./headers/run.schema.json")},
		}},
	)
	for _, name := range []string{"control", "model_delta", "queue_asked", "queue_told", "worker_announced"} {
		nodes = append(nodes, yaml.MapItem{Key: name, Value: yaml.MapSlice{
			{Key: "name", Value: name},
			{Key: "payload", Value: ref("./messages/" + name + ".schema.json")},
		}})
	}
	return nodes
}

func parametersOf(address string) yaml.MapSlice {
	descriptions := map[string]string{
		"tenant":   "One customer of the SaaS.",
		"session":  "One conversation of the tenant.",
		"run_key":  "s-<session> for turns, c-<request sequence> for calls.",
		"meter":    "What was used.",
		"provider": "Who sent the webhook.",
		"stream":   "Where the message was when it was given up.",
		"worker":   "Who speaks.",
		"sequence": "The request's place in its stream.",
		"trigger":  "What tells the tenant's endpoint.",
		"lane":     "A hash of the object that the events are about.",
		"outcome":  "served, or released when the request wants another run.",
	}
	var parameters yaml.MapSlice
	for _, match := range regexp.MustCompile(`\{([a-z_]+)\}`).FindAllStringSubmatch(address, -1) {
		parameters = append(parameters, yaml.MapItem{
			Key: match[1], Value: yaml.MapSlice{{Key: "description", Value: descriptions[match[1]]}},
		})
	}
	return parameters
}

// TestChannelsAreWhole sees that no subject, stream or event is left out.
func TestChannelsAreWhole(t *testing.T) {
	t.Parallel()
	var streams, carried []string
	for _, channel := range channels() {
		if channel.stream != "" {
			streams = append(streams, channel.stream)
		}
		carried = append(carried, channel.messages...)
		carried = append(carried, channel.reply)
	}
	require.ElementsMatch(t, events.Streams(), streams)
	for _, event := range events.Catalogue() {
		require.Contains(t, carried, string(event.EventType()))
	}
	for name := range messages() {
		require.Contains(t, carried, name)
	}
}
