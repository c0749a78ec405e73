package pgd_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/pgd"
	"github.com/feira-dev/feira/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestServerServesOrdinaryRolesAndLeavesNothing(t *testing.T) {
	t.Parallel()
	testenv.Require(t, "Postgres", pgd.Available)
	server, err := pgd.Start(t.Context())
	require.NoError(t, err)
	dsn, err := server.Database(t.Context())
	require.NoError(t, err)

	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	var super, bypass bool
	var fsync, commit, listen string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user").Scan(&super, &bypass))
	require.False(t, super)
	require.False(t, bypass)
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_setting('listen_addresses')").
		Scan(&fsync, &commit, &listen))
	require.Equal(t, []string{"on", "on", ""}, []string{fsync, commit, listen})
	folder := conn.Config().Host
	require.Contains(t, folder, "feira-pg-")
	_, err = os.Stat(folder)
	require.NoError(t, err)

	other, err := server.Database(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, dsn, other)
	require.NoError(t, server.Drop(t.Context(), other))
	_, err = pgx.Connect(t.Context(), other)
	require.Error(t, err)

	require.NoError(t, server.Stop(t.Context()), "with a connection open")
	_, err = os.Stat(folder)
	require.ErrorIs(t, err, os.ErrNotExist)
	_ = conn.Close(t.Context())
}
