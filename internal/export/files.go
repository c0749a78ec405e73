package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/feira-dev/feira/internal/usage"
)

// folder writes each batch as a file of its own, named for its numbers. A file
// is there as a whole or not at all, and written again it is the same bytes.
type folder struct {
	dir    string
	format format
}

// format is how a file is written and read.
type format interface {
	extension() string
	write(w io.Writer, items []fileRow) error
	read(path string, hear func(fileRow) error) error
}

// fileRow is an item as files have it. Decimals are text: a float would lose
// digits.
type fileRow struct {
	ID          string `parquet:"id"`
	Number      int64  `parquet:"number"`
	Tenant      string `parquet:"tenant,dict"`
	Environment string `parquet:"environment,dict"`
	Meter       string `parquet:"meter,dict"`
	Unit        string `parquet:"unit,dict"`
	Quantity    string `parquet:"quantity"`
	OccurredAt  string `parquet:"occurred_at"`
	Session     string `parquet:"session"`
	Request     string `parquet:"request"`
	Server      string `parquet:"server,dict"`
	Tool        string `parquet:"tool,dict"`
	Model       string `parquet:"model,dict"`
	Outcome     string `parquet:"outcome,dict"`
	Billable    bool   `parquet:"billable"`
	Corrects    string `parquet:"corrects"`
	Metadata    string `parquet:"metadata"`
}

func rowOf(item usage.Item) (fileRow, error) {
	metadata := []byte("{}")
	if len(item.Row.Metadata) > 0 {
		var err error
		if metadata, err = marshal(item.Row.Metadata); err != nil {
			return fileRow{}, err
		}
	}
	row := item.Row
	return fileRow{
		ID: item.Key(), Number: item.Number, Tenant: string(row.Tenant), Environment: string(row.Environment), Meter: string(row.Meter),
		Unit: item.Unit, Quantity: item.Change.String(), OccurredAt: row.OccurredAt.UTC().Format("2006-01-02T15:04:05.000000000Z07:00"),
		Session: string(row.Session), Request: string(row.Request), Server: row.Server, Tool: row.Tool, Model: row.Model, Outcome: row.Outcome,
		Billable: row.Billable, Corrects: corrects(item), Metadata: string(metadata),
	}, nil
}

func (f folder) send(_ context.Context, batch batch) error {
	rows := make([]fileRow, len(batch.items))
	for i, item := range batch.items {
		var err error
		if rows[i], err = rowOf(item); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	name := fmt.Sprintf("%s-%020d-%020d%s", batch.export, batch.after+1, batch.through, f.format.extension())
	if err := f.replace(name, func(w io.Writer) error { return f.format.write(w, rows) }); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// replace writes a file beside its place and then moves it there, on disk both.
func (f folder) replace(name string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(f.dir, ".*.part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	err = errors.Join(write(file), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(file.Name(), filepath.Join(f.dir, name)); err != nil {
		return err
	}
	return syncFolder(f.dir)
}

func syncFolder(dir string) error {
	folder, err := os.Open(dir) //nolint:gosec // the operator's own folder
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

var fileName = regexp.MustCompile(`-[0-9]{20}-[0-9]{20}\.(csv|parquet)$`)

// look reads the files that are there.
func (f folder) look(_ context.Context, _ []Sum) ([]Sum, error) {
	found := sums{}
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the folder: %w", err)
	}
	seen := map[string]bool{}
	for _, entry := range entries {
		if !fileName.MatchString(entry.Name()) || filepath.Ext(entry.Name()) != f.format.extension() {
			continue
		}
		err := f.format.read(filepath.Join(f.dir, entry.Name()), func(row fileRow) error {
			if seen[row.ID] {
				return fmt.Errorf("%s is there twice", row.ID)
			}
			seen[row.ID] = true
			change, err := usage.ParseChange(row.Quantity)
			if err != nil {
				return err
			}
			return found.add(sumKey{row.Tenant, row.Meter, row.Unit}, change)
		})
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", entry.Name(), err)
		}
	}
	return slices.Clip(found.list()), nil
}
