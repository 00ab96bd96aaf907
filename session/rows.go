package session

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// scanner is a row: of sql.Row, sql.Rows.
type scanner interface{ Scan(...any) error }

// list runs a query on the read side and scans every row. What it reads must be
// bounded by the query.
func list[T any](ctx context.Context, s *Store, doing string, scan func(scanner) (T, error), q string, args ...any) ([]T, error) {
	ctx, end := s.bounded(ctx)
	defer end()
	rows, err := s.read.QueryContext(ctx, s.bind(q), args...)
	return collect(rows, err, doing, scan)
}

func collect[T any](rows *sql.Rows, err error, doing string, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", doing, err)
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return out, nil
}

func scanString(r scanner) (v string, err error) {
	err = r.Scan(&v)
	return v, err
}

// body is bytes with the number they stand under.
type body struct {
	n int64
	b []byte
}

func scanBody(r scanner) (v body, err error) {
	err = r.Scan(&v.n, &v.b)
	return v, err
}

// scanMore scans columns behind those that another function scans.
type scanMore struct {
	r    scanner
	more []any
}

func (s scanMore) Scan(dest ...any) error { return s.r.Scan(append(dest, s.more...)...) }

// scanFunc is a function as a scanner.
type scanFunc func(...any) error

func (f scanFunc) Scan(dest ...any) error { return f(dest...) }

// qualified names columns by their table.
func qualified(table, columns string) string {
	names := strings.Split(columns, ",")
	for i, n := range names {
		names[i] = table + "." + strings.TrimSpace(n)
	}
	return strings.Join(names, ", ")
}
