package testenv

import (
	"context"
	"sync"
	"testing"

	"github.com/feira-dev/feira/internal/pgd"
)

// sharedPostgres is the one Postgres server of a test binary.
type sharedPostgres struct {
	mu     sync.Mutex
	server *pgd.Server
	err    error
}

// database outlives a test, like shared, so that one cluster is made.
var database sharedPostgres

// Postgres lends the test a new, empty database on a server that all tests of
// the binary share, and returns its address. The database is owned by a role
// that row-level security binds, and is gone when the test has ended. Where no
// Postgres is installed the test fails in CI and is skipped elsewhere.
func Postgres(t testing.TB) (dsn string) {
	t.Helper()
	dsn, _ = postgres(t)
	return dsn
}

// PostgresSuperuser is [Postgres] with a second address of the same database:
// for a superuser, whom no row-level security binds.
func PostgresSuperuser(t testing.TB) (dsn, superuser string) {
	t.Helper()
	dsn, server := postgres(t)
	return dsn, server.Superuser(dsn)
}

// PostgresFiles is [Postgres] with the folder of all that the server has
// written, for all tests of the binary.
func PostgresFiles(t testing.TB) (dsn, folder string) {
	t.Helper()
	dsn, server := postgres(t)
	return dsn, server.Folder()
}

func postgres(t testing.TB) (string, *pgd.Server) {
	t.Helper()
	Require(t, "Postgres", pgd.Available)
	server, err := database.get()
	if err != nil {
		t.Fatalf("starting the shared Postgres server: %v", err)
	}
	ctx, cancel := bounded(t)
	defer cancel()
	dsn, err := server.Database(ctx)
	if err != nil {
		t.Fatalf("making a database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := bounded(t)
		defer cancel()
		if err := server.Drop(ctx, dsn); err != nil {
			t.Errorf("dropping a database: %v", err)
		}
	})
	return dsn, server
}

func (s *sharedPostgres) get() (*pgd.Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil && s.err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.server, s.err = pgd.StartUnsynced(ctx)
	}
	return s.server, s.err
}

func (s *sharedPostgres) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.server.Stop(ctx)
}
