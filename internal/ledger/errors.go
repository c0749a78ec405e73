package ledger

import "errors"

// Sentinels.
var (
	// ErrZoneChanged occurs when a ledger is opened with another zone than the
	// one that cut its days.
	ErrZoneChanged = errors.New("the ledger's days were cut in another zone")
	// ErrRaced occurs when another writer recorded some of a batch's events at
	// the same time; nothing of the batch is recorded, and trying again is safe.
	ErrRaced = errors.New("another writer recorded events of this batch")
	// ErrCardExists occurs when a version of a rate card is applied with other
	// text than it was first.
	ErrCardExists = errors.New("this version of the rate card exists and says something else")
	// ErrUnknownInvoice occurs when a tenant has no invoice, or an invoice no line,
	// of the name that is asked for.
	ErrUnknownInvoice = errors.New("there is no such invoice")
	// ErrGrantExists occurs when credit is granted under the id of other credit.
	ErrGrantExists = errors.New("another grant has this id")
	// ErrExportChanged occurs when an export goes on with settings under which
	// what it has told already would mean something else.
	ErrExportChanged = errors.New("the export began with other settings; give it another name")
	// ErrBypass occurs when row-level security does not bind the database's
	// role: it is a superuser, or has BYPASSRLS.
	ErrBypass = errors.New("the role bypasses row-level security; use an ordinary one that owns the database")
)
