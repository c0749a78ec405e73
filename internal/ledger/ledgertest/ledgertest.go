// Package ledgertest holds every engine of the ledger to one suite.
//
// It owns the suite, [Run], and the market of messages that it plays through a
// ledger. It promises that an engine which passes keeps the ledger's word:
// what is recorded follows from the set of messages alone, not from their
// order, their number or how they were cut into batches.
//
// It does not test what only one engine has; that stays with the engine.
package ledgertest

import (
	"testing"
	"time"

	"github.com/feira-dev/feira/internal/ledger"
)

// Database is one database of the engine under test, empty at first.
type Database interface {
	// Open opens the ledger on it, with this clock or, where it is nil, the real
	// one. It may be opened again after a Close, with what it held, and is closed
	// by the suite.
	Open(tb testing.TB, now func() time.Time) *ledger.Ledger
	// Exec runs a statement behind the ledger's back.
	Exec(tb testing.TB, statement string)
}

// Func makes a new database.
type Func func(tb testing.TB) Database

// Run holds the engine to the suite.
func Run(t *testing.T, newDatabase Func) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Func){
		"AnyOrderGivesTheSameLedger":   testAnyOrder,
		"ReplayChangesNothing":         testReplay,
		"ConflictIsKeptAndFirstWins":   testConflict,
		"ConflictWithinABatch":         testConflictInBatch,
		"Corrections":                  testCorrections,
		"Horizon":                      testHorizon,
		"QuarantineIsReplayed":         testReplayOfQuarantine,
		"InvoicesFollowFromTheSet":     testInvoices,
		"LateIsAdjusted":               testLate,
		"PeriodStates":                 testPeriodStates,
		"CreditAndCreditNotes":         testCredit,
		"LinesAreTraced":               testTrace,
		"AuditFindsPlantedFaults":      testAudit,
		"TenantsDoNotShareIDs":         testTenants,
		"QuarantineKeepsWhole":         testQuarantine,
		"QuarantineTakesAnything":      testQuarantineTakesAnything,
		"CancelledBatchLeavesNothing":  testCancelled,
		"TotalsOfAnyInterval":          testIntervals,
		"FractionsCarry":               testFractions,
		"ToolCallPages":                testPages,
		"ToolCallFilters":              testFilters,
		"ToolCallSums":                 testSums,
		"TenantsOfAPeriod":             testTenantsOfPeriod,
		"VerifyFindsPlantedFaults":     testVerify,
		"ConcurrentWritersLoseNothing": testConcurrent,
		"ItemsAddUp":                   testItems,
		"ExportsGoOnWhereTheyWere":     testExports,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newDatabase)
		})
	}
}
