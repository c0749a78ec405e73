package export

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// csvFormat is CSV as RFC 4180 has it, with a line of names.
type csvFormat struct{}

func (csvFormat) extension() string { return ".csv" }

func csvNames() []string {
	return []string{
		"id", "number", "tenant", "environment", "meter", "unit", "quantity", "occurred_at", "session", "request",
		"server", "tool", "model", "outcome", "billable", "corrects", "metadata",
	}
}

func (csvFormat) write(w io.Writer, items []fileRow) error {
	writer := csv.NewWriter(w)
	if err := writer.Write(csvNames()); err != nil {
		return err
	}
	for _, row := range items {
		err := writer.Write([]string{
			inert(row.ID), strconv.FormatInt(row.Number, 10), inert(row.Tenant), row.Environment, inert(row.Meter), inert(row.Unit), row.Quantity,
			row.OccurredAt, inert(row.Session), inert(row.Request), inert(row.Server), inert(row.Tool), inert(row.Model), inert(row.Outcome),
			strconv.FormatBool(row.Billable), inert(row.Corrects), row.Metadata,
		})
		if err != nil {
			return err
		}
	}
	writer.Flush()
	return writer.Error()
}

// inert keeps a text from being a formula where a spreadsheet opens the file: a
// tool's name is what a stranger chose.
func inert(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// live takes off what [inert] put on.
func live(text string) string {
	if len(text) > 1 && text[0] == '\'' && strings.ContainsRune("=+-@\t\r", rune(text[1])) {
		return text[1:]
	}
	return text
}

func (csvFormat) read(path string, hear func(fileRow) error) (err error) {
	file, err := os.Open(path) //nolint:gosec // a file of the operator's own folder
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	reader := csv.NewReader(file)
	reader.FieldsPerRecord = len(csvNames())
	if _, err := reader.Read(); err != nil {
		return fmt.Errorf("reading the names: %w", err)
	}
	for {
		fields, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		number, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return err
		}
		row := fileRow{
			ID: live(fields[0]), Number: number, Tenant: live(fields[2]), Environment: fields[3], Meter: live(fields[4]), Unit: live(fields[5]),
			Quantity: fields[6], OccurredAt: fields[7], Session: live(fields[8]), Request: live(fields[9]), Server: live(fields[10]),
			Tool: live(fields[11]), Model: live(fields[12]), Outcome: live(fields[13]), Billable: fields[14] == "true", Corrects: live(fields[15]),
			Metadata: fields[16],
		}
		if err := hear(row); err != nil {
			return err
		}
	}
}
