package session

import (
	"strconv"

	"github.com/feira-dev/feira/events"
)

// OpenedID is the event id of a session's opening.
const OpenedID = "opened"

// ClosedID is the event id of a session's closing.
const ClosedID = "closed"

// EventID is the id that an event of a request has by its cause. A worker that
// lost the broker's answer finds its own event by it; the meter counts by it.
// Two take-overs may try for the same attempt, so a start carries its owner.
func EventID(request events.RequestID, event events.Event) string {
	prefix := string(request)
	switch e := event.(type) {
	case *events.SessionOpened:
		return OpenedID
	case *events.SessionClosed:
		return ClosedID
	case *events.TurnStarted:
		return prefix + "/started/" + strconv.Itoa(e.Attempt) + "/" + e.Worker
	case *events.ModelReplied:
		return prefix + "/model/" + strconv.Itoa(e.Iteration)
	case *events.ToolReturned:
		return prefix + "/tool/" + strconv.Itoa(e.Iteration) + "." + strconv.Itoa(e.Index)
	case *events.ApprovalRequested:
		return prefix + "/approval/" + e.ApprovalID + "/requested"
	case *events.ApprovalDecided:
		return prefix + "/approval/" + e.ApprovalID + "/decided"
	case *events.TurnCompleted:
		return prefix + "/completed"
	case *events.WebhookReceived:
		return "webhook/" + e.Connection + "/" + e.Event
	default:
		return prefix + "/" + string(event.EventType())
	}
}
