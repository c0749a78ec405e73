package pgd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

const (
	superuser = "postgres"
	// role owns every database that is handed out. It is no superuser and does
	// not bypass row-level security, which binds owners where it is forced.
	role = "feira"
	// ready is what the server says when it accepts connections. The cluster
	// speaks the C locale, so it is always said so.
	ready = "database system is ready to accept connections"
)

// Server is a running Postgres. Its methods are safe for concurrent use.
type Server struct {
	folder  string
	command *exec.Cmd
	log     *tail
	done    chan struct{} // closed when the process has ended
	made    atomic.Int64
}

// Folder is where the cluster's files are.
func (s *Server) Folder() string { return s.folder }

// Start makes a cluster in a temporary folder and starts its server. The
// caller stops it. The context bounds the start alone.
func Start(ctx context.Context) (*Server, error) { return start(ctx, nil) }

// StartUnsynced starts a server that leaves writing to the disk to the operating
// system. A commit outlives clients and the server itself being killed, and not
// the machine's loss: for tests, none of which takes the machine away.
func StartUnsynced(ctx context.Context) (*Server, error) {
	return start(ctx, []string{"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "wal_level=minimal", "-c", "max_wal_senders=0"})
}

func start(ctx context.Context, settings []string) (*Server, error) {
	programs, err := find()
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, fmt.Errorf("starting Postgres: %w", err)
	}
	folder, err := os.MkdirTemp("", "feira-pg-")
	if err != nil {
		return nil, fmt.Errorf("starting Postgres: %w", err)
	}
	server := &Server{folder: folder, log: &tail{}, done: make(chan struct{})}
	if err := server.start(ctx, programs, as, settings); err != nil {
		return nil, errors.Join(fmt.Errorf("starting Postgres: %w", err), os.RemoveAll(folder))
	}
	return server, nil
}

func (s *Server) start(ctx context.Context, programs binaries, as *account, settings []string) error {
	if err := as.own(s.folder); err != nil {
		return err
	}
	data := filepath.Join(s.folder, "data")
	initdb := exec.CommandContext(ctx, programs.initdb, "--pgdata="+data, "--username="+superuser, //nolint:gosec // a program that the machine's owner installed
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = as.attributes(), s.folder
	if said, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, said)
	}
	// The server outlives the context of its start; Stop ends it.
	s.command = exec.Command(programs.postgres, append([]string{"-D", data, "-c", "listen_addresses=", //nolint:gosec,noctx // as above
		"-c", "unix_socket_directories=" + s.folder, "-c", "logging_collector=off"}, settings...)...)
	s.command.SysProcAttr, s.command.Dir = as.attributes(), s.folder
	output, err := s.command.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.command.Start(); err != nil {
		return err
	}
	started := make(chan struct{})
	go s.watch(output, sync.OnceFunc(func() { close(started) }))
	select {
	case <-started:
	case <-s.done:
		return fmt.Errorf("the server has ended:\n%s", s.log)
	case <-ctx.Done():
		return s.end(ctx)
	}
	if err := s.exec(ctx, "CREATE ROLE "+role+" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE"); err != nil {
		return errors.Join(err, s.end(ctx))
	}
	return nil
}

// watch reads what the server says until it ends.
func (s *Server) watch(output io.Reader, started func()) {
	defer close(s.done)
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, longestLine) // a server that cannot write its log stands still
	for lines.Scan() {
		s.log.add(lines.Text())
		if strings.Contains(lines.Text(), ready) {
			started()
		}
	}
	_ = s.command.Wait() // how it ended is in the log
}

// Stop ends the server, killing it when the context ends first, and removes its
// folder.
func (s *Server) Stop(ctx context.Context) error {
	return errors.Join(s.end(ctx), os.RemoveAll(s.folder))
}

func (s *Server) end(ctx context.Context) error {
	if err := interrupt(s.command.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping Postgres: %w", err)
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		err := s.command.Process.Kill()
		<-s.done
		return errors.Join(fmt.Errorf("stopping Postgres: %w", context.Cause(ctx)), err)
	}
}

// Database makes a new database and returns its address.
func (s *Server) Database(ctx context.Context) (dsn string, err error) {
	name := "feira_" + strconv.FormatInt(s.made.Add(1), 10)
	if err := s.exec(ctx, "CREATE DATABASE "+name+" OWNER "+role); err != nil {
		return "", err
	}
	return s.dsn(role, name), nil
}

// Drop removes a database by its address, connections or not.
func (s *Server) Drop(ctx context.Context, dsn string) error {
	address, err := url.Parse(dsn)
	if err != nil {
		return errors.New("dropping a database: the address is no URL")
	}
	name := pgx.Identifier{strings.TrimPrefix(address.Path, "/")}
	return s.exec(ctx, "DROP DATABASE "+name.Sanitize()+" WITH (FORCE)")
}

// Superuser is the address of a database for the superuser, whom no row-level
// security binds.
func (s *Server) Superuser(dsn string) string {
	return strings.Replace(dsn, "//"+role+"@", "//"+superuser+"@", 1)
}

func (s *Server) dsn(user, database string) string {
	address := url.URL{
		Scheme: "postgres", User: url.User(user), Path: "/" + database,
		RawQuery: url.Values{"host": {s.folder}, "sslmode": {"disable"}}.Encode(),
	}
	return address.String()
}

func (s *Server) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.dsn(superuser, "postgres"))
	if err != nil {
		return fmt.Errorf("connecting to Postgres: %w", err)
	}
	_, err = conn.Exec(ctx, statement)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// tail is the last of what the server said.
type tail struct {
	mu    sync.Mutex
	lines []string
}

const (
	tailLines   = 40
	longestLine = 16 << 20
)

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	t.lines = t.lines[max(len(t.lines)-tailLines, 0):]
}

// String implements fmt.Stringer.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}
