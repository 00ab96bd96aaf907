package session

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
)

// BenchmarkGrowth measures what one more case costs a store that holds 1 000,
// 10 000, … cases already, up to PROOFLINE_GROWTH (10 000). The first thousand
// went through all of their transitions, the others are copies of them in every
// table, and their audit entries were appended as any. With PROOFLINE_GROWTH_OUT
// the table is written between the markers "growth" of that file.
//
//	PROOFLINE_GROWTH=1000000 go test ./session -run '^$' -bench Growth -benchtime 1x -timeout 3h
func BenchmarkGrowth(b *testing.B) {
	largest := 10_000
	if n, err := strconv.Atoi(os.Getenv("PROOFLINE_GROWTH")); err == nil && n >= 1000 {
		largest = n
	}
	var table strings.Builder
	table.WriteString("| store | cases stored | one case, all of its writes | read a session | list 50, newest | list 50, in review | timeline of a session | sweep and prune, nothing due | state of the outbox |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			s := openTest(b, kind, time.Now)
			s.patience = time.Hour // copies are large transactions
			inFlight(seeds, 32, func() { runCase(b, s) })
			c := newCopier(b, s)
			for size := seeds; size <= largest; size *= 10 {
				c.until(size / seeds)
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

// seeds is how many cases are made as real ones are.
const seeds = 1000

// A copier adds copies of a store's cases under other ids.
type copier struct {
	b       *testing.B
	s       *Store
	entries map[string][]audit.Entry // by session
	copies  int
}

func newCopier(b *testing.B, s *Store) *copier {
	b.Helper()
	c := &copier{b: b, s: s, entries: map[string][]audit.Entry{}, copies: 1}
	c.write(func(tx *Tx) error {
		_, err := tx.exec("CREATE TABLE copied AS SELECT id FROM sessions")
		return err
	})
	for f := (Filter{Limit: 100}); ; {
		page, err := s.List(ctx, f)
		if err != nil {
			b.Fatal(err)
		}
		for _, x := range page.Sessions {
			if c.entries[x.ID], err = s.Timeline(ctx, x.ID); err != nil {
				b.Fatal(err)
			}
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			break
		}
	}
	if len(c.entries) != seeds {
		b.Fatalf("%d cases to copy", len(c.entries))
	}
	return c
}

func (c *copier) write(fn func(*Tx) error) {
	c.b.Helper()
	if err := c.s.write(ctx, "copy cases", fn); err != nil {
		c.b.Fatal(err)
	}
}

// copyOf is the id of a copy: a letter that no id has, and three digits, in its random part.
func copyOf(id string, n int) string {
	return id[:len(id)-9] + fmt.Sprintf("u%03d", n) + id[len(id)-5:]
}

// until adds copies until there are n of each case, the first included.
func (c *copier) until(n int) {
	const other = "substr(x.%[1]s, 1, length(x.%[1]s) - 9) || 'u' || substr(CAST(1000 + n AS TEXT), 2) || substr(x.%[1]s, length(x.%[1]s) - 4)"
	for ; c.copies < n; c.copies = min(c.copies+20, n) {
		last := min(c.copies+20, n) - 1
		for table, ids := range map[string][]string{
			"sessions": {"id"}, "evidence": {"id", "session"}, "stage_results": {"session"},
			"decisions": {"session"}, "outbox": {"id", "session"}, "run_leases": {"session"},
		} {
			c.write(func(tx *Tx) error {
				rows, err := tx.db.QueryContext(ctx, "SELECT * FROM "+table+" LIMIT 0")
				if err != nil {
					return err
				}
				names, err := rows.Columns()
				if err := errors.Join(err, rows.Close(), rows.Err()); err != nil {
					return err
				}
				var values []string
				for _, name := range names {
					if slices.Contains(ids, name) {
						values = append(values, fmt.Sprintf(other, name))
					} else {
						values = append(values, "x."+name)
					}
				}
				_, err = tx.exec(fmt.Sprintf("WITH RECURSIVE g(n) AS (SELECT %d UNION ALL SELECT n + 1 FROM g WHERE n < %d) INSERT INTO %s (%s) SELECT %s FROM copied JOIN %s x ON x.%s = copied.id CROSS JOIN g",
					c.copies, last, table, strings.Join(names, ", "), strings.Join(values, ", "), table, ids[len(ids)-1]))
				return err
			})
		}
		for n := c.copies; n <= last; n++ {
			c.log(n)
		}
	}
}

// log appends a copy's audit entries.
func (c *copier) log(n int) {
	sessions := slices.Sorted(maps.Keys(c.entries))
	for some := range slices.Chunk(sessions, 100) {
		c.write(func(tx *Tx) error {
			for _, id := range some {
				for _, e := range c.entries[id] {
					e.Session = copyOf(id, n)
					tx.Audit(e)
				}
			}
			return nil
		})
	}
}

// growthRow times each kind of access, one after another, and takes the middle one.
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
		{50, func() error { _, err := s.Timeline(ctx, id); return err }},
		{50, func() error {
			_, err := s.ExpireDue(ctx, 100)
			_, err2 := s.Prune(ctx, time.Now().Add(-time.Hour*24), 1000)
			return errors.Join(err, err2)
		}},
		{50, func() error { _, err := s.OutboxDepth(ctx); return err }},
	} {
		took := make([]time.Duration, x.times)
		for i := range took {
			began := time.Now()
			if err := x.do(); err != nil {
				b.Fatal(err)
			}
			took[i] = time.Since(began)
		}
		slices.Sort(took)
		row = append(row, fmt.Sprintf("%.2f ms", float64(took[len(took)/2].Microseconds())/1000))
	}
	return row
}
