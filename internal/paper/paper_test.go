package paper_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/paper"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write golden files anew")
	flag.Parse()
	os.Exit(m.Run())
}

// document is one of the golden documents of package invoice.
func document(t *testing.T, name string) invoice.Invoice {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "invoice", "testdata", name+".json"))
	require.NoError(t, err)
	read, err := invoice.Parse(text)
	require.NoError(t, err)
	return read
}

// A document with every kind of line is the same bytes on every run and every
// machine, and says what its JSON says.
func TestDocumentsMatchGoldenFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"invoice", "adjusted", "credit_note"} {
		of := document(t, name)
		printed, err := paper.PDF(of)
		require.NoError(t, err)
		again, err := paper.PDF(of)
		require.NoError(t, err)
		require.Equal(t, printed, again)
		requireOnPaper(t, of, printed)
		file := filepath.Join("testdata", name+".pdf")
		if flag.Lookup("update").Value.String() == "true" {
			require.NoError(t, os.WriteFile(file, printed, 0o600))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), string(printed))
	}
}

// requireOnPaper holds the text of a PDF against what the document says.
func requireOnPaper(t *testing.T, document invoice.Invoice, printed []byte) {
	t.Helper()
	var text strings.Builder
	for _, found := range regexp.MustCompile(`(?s)\(((?:[^()\\]|\\.)*)\)\s*Tj`).FindAllSubmatch(printed, -1) {
		text.Write(found[1])
		text.WriteByte('\n')
	}
	said := text.String()
	want := []string{document.ID, "Period " + document.Period, document.Subtotal, document.Total, "Issued " + document.IssuedAt.Format(time.DateOnly)}
	for _, line := range document.Lines {
		want = append(want, line.Name, line.Quantity, line.Amount)
	}
	for _, credit := range document.Credits {
		want = append(want, "-"+credit.Amount)
	}
	for _, one := range want {
		require.Contains(t, said, one)
	}
}

// Lines that fill more than a page go on under the titles of the next one, and
// nothing falls off.
func TestLongInvoicesHavePages(t *testing.T) {
	t.Parallel()
	document := document(t, "invoice")
	first := document.Lines[0]
	document.Lines = nil
	for n := range 120 {
		first.Number, first.Tool = n+1, "tool_"+strconv.Itoa(n)+strings.Repeat(" with words", n%7)
		document.Lines = append(document.Lines, first)
	}
	document.Tenant, document.Reason = "loja (\\)", "São Paulo, 水"
	printed, err := paper.PDF(document)
	require.NoError(t, err)
	require.Greater(t, bytes.Count(printed, []byte("/Type /Page\n")), 3)
	requireOnPaper(t, document, printed)
	require.Contains(t, string(printed), "tool_119")
}
