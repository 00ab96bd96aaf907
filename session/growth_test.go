package session

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkGrowth measures what one more case costs a store that holds 1 000,
// 10 000, … cases already, up to PROOFLINE_GROWTH (10 000). Every stored case
// went through all of its transitions, so the audit log, the outbox and the
// stage results have grown with the sessions. With PROOFLINE_GROWTH_OUT the
// table is written between the markers "growth" of that file.
//
//	PROOFLINE_GROWTH=100000 go test ./session -run '^$' -bench Growth -benchtime 1x -timeout 3h
func BenchmarkGrowth(b *testing.B) {
	largest := 10_000
	if n, err := strconv.Atoi(os.Getenv("PROOFLINE_GROWTH")); err == nil && n >= 1000 {
		largest = n
	}
	var table strings.Builder
	table.WriteString("| store | cases stored | one case, all of its writes | read a session | list 50, newest | list 50, in review | sweep, nothing due | decisions of a session |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			s := openTest(b, kind, time.Now)
			held := 0
			for size := 1000; size <= largest; size *= 10 {
				inFlight(size-held, 32, func() { runCase(b, s) })
				held = size
				fmt.Fprintf(&table, "| %s | %d | %s |\n", kind, size, strings.Join(growthRow(b, s), " | "))
				fmt.Fprintf(os.Stderr, "%s: %d cases are stored\n", kind, size)
			}
		})
	}
	fmt.Fprint(os.Stderr, table.String())
	if out := os.Getenv("PROOFLINE_GROWTH_OUT"); out != "" {
		text, err := os.ReadFile(out)
		if err != nil {
			b.Fatal(err)
		}
		head, rest, ok := strings.Cut(string(text), "<!-- growth -->\n")
		_, foot, ok2 := strings.Cut(rest, "<!-- /growth -->")
		if !ok || !ok2 {
			b.Fatalf("%s has no markers growth", out)
		}
		if err := os.WriteFile(out, []byte(head+"<!-- growth -->\n"+table.String()+"<!-- /growth -->"+foot), 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

// growthRow times each kind of access, one after another.
func growthRow(b *testing.B, s *Store) []string {
	b.Helper()
	page, err := s.List(ctx, Filter{Limit: 1})
	if err != nil || len(page.Sessions) != 1 {
		b.Fatal(len(page.Sessions), err)
	}
	id := page.Sessions[0].ID
	var row []string
	for _, x := range []struct {
		times int
		do    func() error
	}{
		{100, func() error { runCase(b, s); return nil }},
		{200, func() error { _, err := s.Get(ctx, id); return err }},
		{50, func() error { _, err := s.List(ctx, Filter{Limit: 50}); return err }},
		{50, func() error { _, err := s.List(ctx, Filter{Limit: 50, States: []State{PendingReview}}); return err }},
		{50, func() error { _, err := s.ExpireDue(ctx, 100); return err }},
		{50, func() error { _, err := s.Decisions(ctx, id); return err }},
	} {
		began := time.Now()
		for range x.times {
			if err := x.do(); err != nil {
				b.Fatal(err)
			}
		}
		each := time.Since(began) / time.Duration(x.times)
		row = append(row, fmt.Sprintf("%.2f ms", float64(each.Microseconds())/1000))
	}
	return row
}
