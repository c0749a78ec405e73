package export

import (
	"errors"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
)

// parquetFormat is Apache Parquet, compressed by Snappy, which every reader knows.
type parquetFormat struct{}

func (parquetFormat) extension() string { return ".parquet" }

func (parquetFormat) write(w io.Writer, items []fileRow) error {
	writer := parquet.NewGenericWriter[fileRow](w, parquet.Compression(&parquet.Snappy), parquet.CreatedBy("feira", "1", ""))
	if _, err := writer.Write(items); err != nil {
		return errors.Join(err, writer.Close())
	}
	return writer.Close()
}

// readAtOnce is how many rows of a file are in memory.
const readAtOnce = 1_000

func (parquetFormat) read(path string, hear func(fileRow) error) (err error) {
	file, err := os.Open(path) //nolint:gosec // a file of the operator's own folder
	if err != nil {
		return err
	}
	reader := parquet.NewGenericReader[fileRow](file)
	defer func() { err = errors.Join(err, reader.Close(), file.Close()) }()
	rows := make([]fileRow, readAtOnce)
	for {
		n, err := reader.Read(rows)
		for _, row := range rows[:n] {
			if err := hear(row); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
