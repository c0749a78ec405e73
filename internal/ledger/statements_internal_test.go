package ledger

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatementsAreKept(t *testing.T) {
	t.Parallel()
	book, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "ledger.db")})
	require.NoError(t, err)
	defer func() { require.NoError(t, book.Close()) }()
	const text = "SELECT ? + 1"
	ask := func(text string, args ...any) error {
		return book.write(t.Context(), func(tx *transaction) error {
			for n := range int64(3) {
				var sum int64
				if err := tx.QueryRowContext(t.Context(), text, append(args, n)...).Scan(&sum); err != nil {
					return err
				}
				require.Equal(t, n+1, sum)
			}
			return nil
		})
	}
	require.Nil(t, book.writings.find(text), "met for the first time")
	require.NoError(t, ask(text))
	require.NotNil(t, book.writings.find(text))
	require.NoError(t, ask(text))

	for range 2 {
		require.ErrorContains(t, ask("SELECT one FROM nowhere WHERE one = ?"), "nowhere")
	}
	for n := range mostStatements {
		require.NoError(t, ask(fmt.Sprintf("SELECT ? + 1 + %d - %d", n, n)))
	}
	require.Len(t, book.writings.prepared, mostStatements)
	require.NoError(t, ask("SELECT ? + 2 - 1"), "what is not kept is answered as well")
}
