package events

import "fmt"

// Catalogue lists an empty value of every event, in the order in which a
// session meets them. Golden examples, schemas and readers follow it.
func Catalogue() []Event {
	return []Event{
		&SessionOpened{}, &TurnStarted{}, &ModelReplied{}, &ToolReturned{},
		&ApprovalRequested{}, &ApprovalDecided{}, &TurnCompleted{}, &SessionClosed{},
		&UsageRecorded{}, &UsageCorrected{}, &LetterDied{}, &BudgetReached{},
		&WebhookReceived{},
		&DeliveryQueued{}, &DeliveryAttempted{},
	}
}

func newEvent(name Type) (Event, error) {
	switch name {
	case TypeSessionOpened:
		return &SessionOpened{}, nil
	case TypeTurnStarted:
		return &TurnStarted{}, nil
	case TypeModelReplied:
		return &ModelReplied{}, nil
	case TypeToolReturned:
		return &ToolReturned{}, nil
	case TypeApprovalRequested:
		return &ApprovalRequested{}, nil
	case TypeApprovalDecided:
		return &ApprovalDecided{}, nil
	case TypeTurnCompleted:
		return &TurnCompleted{}, nil
	case TypeSessionClosed:
		return &SessionClosed{}, nil
	case TypeUsageRecorded:
		return &UsageRecorded{}, nil
	case TypeUsageCorrected:
		return &UsageCorrected{}, nil
	case TypeLetterDied:
		return &LetterDied{}, nil
	case TypeBudgetReached:
		return &BudgetReached{}, nil
	case TypeWebhookReceived:
		return &WebhookReceived{}, nil
	case TypeDeliveryQueued:
		return &DeliveryQueued{}, nil
	case TypeDeliveryAttempted:
		return &DeliveryAttempted{}, nil
	default:
		return nil, fmt.Errorf("%w: %q", ErrUnknownType, name)
	}
}
