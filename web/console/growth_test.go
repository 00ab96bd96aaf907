package console_test

import (
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/session"
)

// grown are the tables that grow with cases and that pages read, with the columns
// that name a row or another one.
var grown = map[string][]string{
	"sessions": {"id"}, "decisions": {"session"}, "case_scores": {"session"}, "review_votes": {"id", "session"}, "review_samples": {"session"},
	"review_queue": {"session"}, "outbox": {"id", "session"}, "webhook_events": {"id", "session"}, "webhook_deliveries": {"id", "event", "session"},
}

// TestPagesOfManyCases prints how long each page takes with PROOFLINE_PAGES cases on
// PostgreSQL, and which tables were read whole for it. The cases are copies of 2 000
// simulated ones, marked as real.
//
//	PROOFLINE_PAGES=1000000 go test ./web/console -run PagesOfManyCases -v -timeout 3h
func TestPagesOfManyCases(t *testing.T) {
	cases, err := strconv.Atoi(os.Getenv("PROOFLINE_PAGES"))
	if err != nil {
		t.Skip("a measurement: set PROOFLINE_PAGES")
	}
	const made = 2000
	dsn := testserver.Postgres(t).DSN
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var began time.Time
	o := newOfficeOn(t, dsn, made, func() {
		began = time.Now()
		// Scores are taken out of stage results, which are not copied.
		store, err := session.Open(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		if _, err := store.CountFigures(ctx); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"sessions", "decisions", "case_scores", "review_votes", "review_samples", "review_queue", "outbox", "webhook_events", "webhook_deliveries"} {
			copies := cases / made
			if table == "review_queue" {
				copies = min(copies, 10) // people keep up
			}
			copyRows(t, db, table, copies)
			t.Logf("%s: %v", table, time.Since(began).Round(time.Second))
		}
		// The copies are older than what was counted last: everything again.
		for _, q := range []string{"DELETE FROM vault_state WHERE name LIKE 'figures_counted%'", "ANALYZE"} {
			if _, err := db.ExecContext(ctx, q); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Logf("%d cases made and counted in %v", cases, time.Since(began).Round(time.Second))
	var scores int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM case_scores").Scan(&scores); err != nil || scores < cases/2 {
		t.Fatalf("%d scores of %d cases were counted: the pages would show next to nothing (%v)", scores, cases, err)
	}
	o.account("ada.example", everyRole...)
	b := o.browser()
	b.enter("ada.example")
	pages := append(o.pagesOf(), [2]string{"reviews", "/console/reviews"}, [2]string{"overview, 90 days", "/console/overview?window=90d"},
		[2]string{"thresholds, 90 days", "/console/thresholds?window=90d"}, [2]string{"blind checks, 90 days", "/console/checks?window=90d"},
		[2]string{"sessions, rejected", "/console/sessions?state=rejected"}, [2]string{"sessions, by reference", "/console/sessions?q=no-such-reference"})
	open := func(path string) float64 {
		start := time.Now()
		if resp, text := b.send("GET", path, nil); resp.StatusCode != 200 {
			t.Fatalf("%s: %d %.300s", path, resp.StatusCode, text)
		}
		return time.Since(start).Seconds()
	}
	var table strings.Builder
	table.WriteString("| page | s, first and second time | tables read whole |\n| --- | --- | --- |\n")
	times := map[string]string{}
	for _, p := range pages {
		times[p[0]] = fmt.Sprintf("%.2f, %.2f", open(p[1]), open(p[1]))
		fmt.Fprintln(os.Stderr, p[0], times[p[0]])
	}
	before := whole(t, db)
	for _, p := range pages {
		open(p[1])
		after := whole(t, db)
		var read []string
		for name, rows := range after {
			if n := rows - before[name]; n >= int64(cases)/10 {
				read = append(read, fmt.Sprintf("%s (%d rows)", name, n))
			}
		}
		slices.Sort(read)
		before = after
		fmt.Fprintf(&table, "| %s | %s | %s |\n", p[0], times[p[0]], strings.Join(read, ", "))
	}
	fmt.Fprint(os.Stderr, table.String())
}

// copyRows adds copies of a table's rows under other ids.
func copyRows(t *testing.T, db *sql.DB, table string, copies int) {
	t.Helper()
	rows, err := db.QueryContext(ctx, "SELECT column_name FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position", table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names, values []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		value := "x." + name
		switch {
		case slices.Contains(grown[table], name):
			// The end of an id is random: what is before it keeps the order of time.
			value = fmt.Sprintf("CASE WHEN length(x.%[1]s) < 20 THEN x.%[1]s ELSE left(x.%[1]s, -3) || lpad(to_hex(g), 3, '0') END", name)
		case name == "idempotency_key":
			value = "NULL"
		case name == "simulated":
			value = "0"
		}
		names, values = append(names, name), append(values, value)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	q := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %[1]s x, generate_series(1, %[4]d) g ON CONFLICT DO NOTHING", table, strings.Join(names, ", "), strings.Join(values, ", "), copies)
	if _, err := db.ExecContext(ctx, q); err != nil {
		t.Fatalf("%s: %v", table, err)
	}
}

// whole is how many rows of each table were read by sequential scans so far. A
// backend reports them when it has been idle for ten seconds.
func whole(t *testing.T, db *sql.DB) map[string]int64 {
	t.Helper()
	time.Sleep(11 * time.Second)
	rows, err := db.QueryContext(ctx, "SELECT relname, seq_tup_read FROM pg_stat_user_tables")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		out[name] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
