package session

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/internal/testserver"
)

// knownHoles are numbers that no migration has, and none may get any more: a
// database that has a later one is not given an earlier one.
var knownHoles = []int{9, 11, 13, 17}

func TestMigrationNumbersAreUniqueAndAscendWithKnownHolesOnly(t *testing.T) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var numbers []int
	for _, f := range files {
		name := filepath.Base(f)
		head, _, _ := strings.Cut(name, "_")
		n, err := strconv.Atoi(head)
		if err != nil || len(head) != 5 {
			t.Fatalf("%s has no number of five digits", name)
		}
		if slices.Contains(numbers, n) {
			t.Errorf("number %d is used twice", n)
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for n := 1; n <= numbers[len(numbers)-1]; n++ {
		if there, hole := slices.Contains(numbers, n), slices.Contains(knownHoles, n); there == hole {
			t.Errorf("number %d: there %v, a known hole %v", n, there, hole)
		}
	}
}

// firstReleased is the schema of the first release.
const firstReleased = 8

func TestADatabaseOfTheFirstReleaseIsUpgradedWithItsRows(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			dsn, driver, name, dialect := "", "sqlite", filepath.Join(t.TempDir(), "store.db"), goose.DialectSQLite3
			if dsn = "sqlite:" + name; kind == "postgres" {
				dsn, driver, dialect = testserver.Postgres(t).DSN, "pgx", goose.DialectPostgres
				name = dsn
			}
			old := must[*sql.DB](t)(sql.Open(driver, name))
			dir := must[fs.FS](t)(fs.Sub(migrations, "migrations"))
			p := must[*goose.Provider](t)(goose.NewProvider(dialect, old, dir, goose.WithTableName(goose.DefaultTablename)))
			if _, err := p.UpTo(ctx, firstReleased); err != nil {
				t.Fatal(err)
			}
			// A case in review, with a photo, an audit entry, a row that waits, an
			// account and a grant, as that release wrote them.
			const id, at = "ses_00000000000000000000000000", 1767225600000000
			var f audit.Frontier
			body := must[[]byte](t)(audit.Entry{Time: fromMicros(at), Actor: "service:key_1", Action: "session.create", Session: id, To: "initiated"}.Canonical())
			nodes := f.Append(body)
			head := must[[]byte](t)(f.MarshalBinary())
			s := &Store{postgres: kind == "postgres"}
			for _, row := range []struct {
				q    string
				args []any
			}{
				{`INSERT INTO sessions (id, tenant, state, version, attempt, max_attempts, policy_name, policy_version, policy_hash, segment, jurisdiction,
					document_type, correlation_id, external_ref, locale, consent, decision, idempotency_key, ttl, created_at, updated_at, expires_at, submitted_at)
					VALUES (` + marks(23) + `)`, []any{id, "acme", "pending_review", 5, 1, 3, "default", "1", "hash", "", "DE", "passport", "corr", "ref-1", "en",
					`{"at":"2026-01-01T00:00:00Z","text_hash":"h","scope":["document","biometric"]}`, "", nil, 3600000000, at, at, at + 3600000000, at}},
				{`INSERT INTO evidence (id, session, attempt, kind, object, sha256, salt, size, findings, at) VALUES (` + marks(10) + `)`,
					[]any{"evi_1", id, 1, "selfie", "obj_1", "ab", "cd", 3, "", at}},
				{`INSERT INTO outbox (id, kind, session, attempt, ref, correlation_id, state, tries, reason, available_at, created_at, updated_at) VALUES (` + marks(12) + `)`,
					[]any{"out_1", "verify", id, 1, "", "corr", "pending", 0, "", at, at, at}},
				{`INSERT INTO audit_entries (seq, session, at, body) VALUES (0, ?, ?, ?)`, []any{id, at, body}},
				{`INSERT INTO audit_hashes (idx, hash) VALUES (?, ?)`, []any{nodes[0].Index, nodes[0].Hash[:]}},
				{`INSERT INTO audit_head (id, frontier) VALUES (1, ?)`, []any{head}},
				{`INSERT INTO accounts (id, name, roles, password, issuer, subject, totp_step, created_at, password_at, login_at, disabled_at) VALUES (` + marks(11) + `)`,
					[]any{"acc_1", "vera", `["reviewer"]`, "hash", "", "", 0, at, at, 0, 0}},
				{`INSERT INTO evidence_grants (id, session, account, purpose, words, salt, life, asked_at, approver, begins_at, expires_at, ended_at, ended_by, openings)
					VALUES (` + marks(14) + `)`, []any{"grt_1", id, "acc_1", "review", "", "salt", 3600000000, at, "", at, at + 3600000000, 0, "", 0}},
			} {
				if _, err := old.ExecContext(ctx, s.bind(row.q), row.args...); err != nil {
					t.Fatalf("%s: %v", row.q, err)
				}
			}
			ok(t, old.Close())

			now := must[*Store](t)(Open(ctx, dsn))
			t.Cleanup(func() { now.Close() })
			ses := must[*Session](t)(now.Get(ctx, id))
			if ses.State != PendingReview || ses.Version != 5 || ses.Consent == nil || len(ses.Consent.Scope) != 2 || ses.Signals != nil {
				t.Errorf("%+v", ses)
			}
			if ev := must[[]Evidence](t)(now.Evidence(ctx, id, 1)); len(ev) != 1 || ev[0].SHA256 != "ab" {
				t.Errorf("evidence %+v", ev)
			}
			if rows := must[[]Outbox](t)(now.Pending(ctx, 10)); len(rows) != 1 || rows[0].ID != "out_1" {
				t.Errorf("outbox %+v", rows)
			}
			if a, _, err := now.AccountByName(ctx, "vera"); err != nil || a.ID != "acc_1" {
				t.Errorf("account %+v, %v", a, err)
			}
			if g := must[Grant](t)(now.Grant(ctx, "grt_1")); g.Account != "acc_1" {
				t.Errorf("grant %+v", g)
			}
			if w := must[[]Waiting](t)(now.Reviews(ctx, ReviewFilter{})); len(w) != 1 || w[0].Session.ID != id {
				t.Errorf("queue %+v", w)
			}
			// It is worked on, and the log goes on where it stood.
			must[*Session](t)(now.Apply(ctx, id, AnyVersion, Decided(Actor{Reviewer, "acc_1"}, 0, decision("approved")), nil))
			log := must[[]audit.Entry](t)(now.Timeline(ctx, id))
			if len(log) < 2 || log[0].Action != "session.create" || log[1].Seq != 1 {
				t.Errorf("log %+v", log)
			}
			// Opening it again finds nothing to do.
			ok(t, must[*Store](t)(Open(ctx, dsn)).Close())
		})
	}
}
