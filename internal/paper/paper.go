// Package paper prints documents as PDF.
//
// It owns the layout of an invoice on pages. It promises that the same document
// is the same bytes, whatever wrote it and when. Its lengths are floats, which
// is why it is apart from package invoice: nothing that counts is one there.
package paper

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"github.com/feira-dev/feira/internal/invoice"
)

// Lengths in millimetres of an A4 page: of the table's columns, of a line and of
// the margin.
const (
	wideNumber   = 10
	wideWhat     = 64
	widePeriod   = 20
	wideQuantity = 30
	wideUnit     = 36
	wideSum      = 30
	wideNames    = wideNumber + wideWhat + widePeriod + wideQuantity + wideUnit
	lineHeight   = 5
	margin       = 10
	font         = "Helvetica"
)

// PDF is a document as people print and file it. It holds no date but the
// document's own, no random id and nothing compressed, so that the same
// document is the same bytes, whatever wrote it and when. Its fonts are those
// that every reader has; what they lack is printed as a dot.
func PDF(i invoice.Invoice) ([]byte, error) {
	paper := fpdf.New("P", "mm", "A4", "")
	paper.SetCompression(false)
	paper.SetCatalogSort(true)
	paper.SetCreationDate(i.IssuedAt.UTC())
	paper.SetModificationDate(i.IssuedAt.UTC())
	paper.SetProducer("feira", true)
	paper.SetTitle(i.ID, true)
	paper.SetLang("en")
	paper.SetMargins(margin, margin, margin)
	paper.SetAutoPageBreak(false, margin)
	sheet := &sheet{Fpdf: paper, plain: paper.UnicodeTranslatorFromDescriptor("")}
	sheet.AddPage()
	sheet.head(i)
	sheet.titles(i)
	for _, line := range i.Lines {
		sheet.line(i, line)
	}
	sheet.sums(i)
	var out bytes.Buffer
	if err := paper.Output(&out); err != nil {
		return nil, fmt.Errorf("writing invoice %s: %w", i.ID, err)
	}
	return out.Bytes(), nil
}

// sheet is a document in the making.
type sheet struct {
	*fpdf.Fpdf
	plain func(string) string
}

func (s *sheet) write(style string, size float64, text string) {
	s.SetFont(font, style, size)
	s.MultiCell(0, lineHeight, s.plain(text), "", "L", false)
}

func (s *sheet) head(i invoice.Invoice) {
	title := "Invoice"
	if i.Kind == invoice.KindCreditNote {
		title = "Credit note"
	}
	s.write("B", 15, title+" "+i.ID)
	s.Ln(lineHeight)
	tenant := "Tenant " + string(i.Tenant)
	if i.Environment != "live" {
		tenant += " (" + string(i.Environment) + ", not to be paid)"
	}
	s.write("", 10, tenant)
	s.write("", 10, "Period "+i.Period)
	s.write("", 10, "Issued "+i.IssuedAt.Format(time.DateOnly))
	if i.Corrects != "" {
		s.write("", 10, "Of invoice "+i.Corrects+": "+i.Reason)
	}
	s.Ln(lineHeight)
}

func (s *sheet) titles(i invoice.Invoice) {
	s.SetFont(font, "B", 9)
	for _, title := range []struct {
		width       float64
		text, align string
	}{
		{wideNumber, "#", "R"},
		{wideWhat, "What", "L"},
		{widePeriod, "Period", "L"},
		{wideQuantity, "Quantity", "R"},
		{wideUnit, "Price", "R"},
		{wideSum, string(i.Currency), "R"},
	} {
		s.CellFormat(title.width, lineHeight+1, title.text, "B", 0, title.align, false, 0, "")
	}
	s.Ln(lineHeight + 2)
	s.SetFont(font, "", 9)
}

// line writes one line, on a new page where this one has no room for it.
func (s *sheet) line(i invoice.Invoice, line invoice.Line) {
	what := strings.Join(append([]string{line.Name}, present(line.Server, line.Tool, line.Model)...), " ")
	if line.Kind == invoice.LineAdjustment {
		what += " (adjustment)"
	}
	quantity := line.Quantity
	if line.Included != "" {
		quantity += "\n" + line.Included + " included"
	}
	cells := []struct {
		width       float64
		text, align string
	}{
		{wideNumber, strconv.Itoa(line.Number), "R"},
		{wideWhat, what, "L"},
		{widePeriod, line.Period, "L"},
		{wideQuantity, quantity, "R"},
		{wideUnit, priced(line), "R"},
		{wideSum, line.Amount, "R"},
	}
	rows := 1
	for _, cell := range cells {
		rows = max(rows, len(s.SplitLines([]byte(s.plain(cell.text)), cell.width)))
	}
	height := float64(rows) * lineHeight
	_, page := s.GetPageSize()
	if s.GetY()+height > page-2*margin {
		s.AddPage()
		s.titles(i)
	}
	x, y := s.GetXY()
	for _, cell := range cells {
		s.SetXY(x, y)
		s.MultiCell(cell.width, lineHeight, s.plain(cell.text), "", cell.align, false)
		x += cell.width
	}
	s.SetXY(margin, y+height+1)
}

func present(texts ...string) []string {
	var left []string
	for _, text := range texts {
		if text != "" {
			left = append(left, text)
		}
	}
	return left
}

// priced is how a line's price is told.
func priced(line invoice.Line) string {
	switch {
	case line.Percentage != nil:
		told := []string{line.Percentage.Rate + " %"}
		if line.Percentage.Minimum != "" {
			told = append(told, "at least "+line.Percentage.Minimum)
		}
		if line.Percentage.Cap != "" {
			told = append(told, "at most "+line.Percentage.Cap)
		}
		return strings.Join(told, "\n")
	case len(line.Tiers) > 0:
		told := make([]string, len(line.Tiers))
		for n, tier := range line.Tiers {
			told[n] = tier.Quantity.String() + " x " + string(tier.UnitPrice)
		}
		return strings.Join(told, "\n")
	default:
		return string(line.UnitPrice)
	}
}

func (s *sheet) sums(i invoice.Invoice) {
	_, page := s.GetPageSize()
	sum := func(style, border, name, amount string) {
		if s.GetY()+lineHeight > page-2*margin {
			s.AddPage()
		}
		s.SetFont(font, style, 9)
		s.CellFormat(wideNames, lineHeight, s.plain(name), border, 0, "R", false, 0, "")
		s.CellFormat(wideSum, lineHeight, amount, border, 1, "R", false, 0, "")
	}
	s.Ln(2)
	sum("", "T", "Subtotal", i.Subtotal)
	for _, credit := range i.Credits {
		sum("", "", "Prepaid credit "+credit.Grant, "-"+credit.Amount)
	}
	sum("B", "", "Total "+string(i.Currency), i.Total)
	s.SetAutoPageBreak(true, margin)
	s.Ln(lineHeight)
	for _, unpriced := range i.Unpriced {
		s.write("", 8, "Without a price, and not charged: "+unpriced.Quantity.String()+" "+unpriced.Unit+" of "+string(unpriced.Meter))
	}
	if i.Included.Digest != "" {
		s.write("", 8, strconv.Itoa(i.Included.Events)+" usage events, "+i.Included.Digest)
	}
}
