package session

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/storage/storagetest"
)

func openKeys(t testing.TB, kind string) (*KeyStore, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys", "keys.db")
	dsn := "sqlite:" + path
	if kind == "postgres" {
		dsn = testserver.Postgres(t).DSN
	}
	k, err := OpenKeyStore(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k, path
}

func TestAKeyStoreOfItsOwnKeepsTheContract(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			storagetest.RunKeyIndex(t, func(t *testing.T) storage.KeyIndex {
				k, _ := openKeys(t, kind)
				return k
			})
		})
	}
}

func TestAKeyStoreAndASessionStoreShareOnePostgresDatabaseOnlyByMistake(t *testing.T) {
	dsn := testserver.Postgres(t).DSN
	s, err := Open(ctx, dsn)
	ok(t, err)
	defer s.Close()
	if k, err := OpenKeyStore(ctx, dsn); err == nil {
		k.Close()
		t.Fatal("it opened: two schemas want the same table")
	}
}

// inFiles looks for bytes in a database file and everything beside it that
// belongs to it.
func inFiles(t *testing.T, path string, what []byte) []string {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	ok(t, err)
	var found []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		ok(t, err)
		if bytes.Contains(b, what) {
			found = append(found, filepath.Base(f))
		}
	}
	return found
}

// together calls f for each of list, some at a time, which share commits.
func together(list []int, f func(int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 32)
	for _, i := range list {
		slots <- struct{}{}
		wg.Go(func() { defer func() { <-slots }(); f(i) })
	}
	wg.Wait()
}

// Pages split and merge as rows come and go: a key must not stay behind in the
// slack of a page that it was moved from.
func TestADestroyedDataKeyIsNowhereInTheDatabaseFiles(t *testing.T) {
	k, path := openKeys(t, "sqlite")
	r := mrand.New(mrand.NewPCG(1, 2))
	const rows = 1500
	wrapped := make([][]byte, rows)
	together(r.Perm(rows), func(i int) {
		wrapped[i] = make([]byte, 72)
		rand.Read(wrapped[i])
		if _, err := k.PutDataKey(ctx, storage.DataKey{Session: fmt.Sprintf("ses_%06d", i), Class: storage.CaptureImage, KeyID: "k1", Wrapped: wrapped[i], CreatedAt: testStart}); err != nil {
			t.Error(err)
		}
	})
	if found := inFiles(t, path, wrapped[7]); len(found) == 0 {
		t.Fatal("the test would not find a key that is there")
	}
	order := r.Perm(rows)
	gone := order[:rows/3]
	together(gone, func(i int) {
		if _, err := k.DestroyDataKey(ctx, fmt.Sprintf("ses_%06d", i), storage.CaptureImage, testStart); err != nil {
			t.Error(err)
		}
	})
	ok(t, k.Scrub(ctx))
	var all []byte
	files, err := filepath.Glob(path + "*")
	ok(t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		ok(t, err)
		all = append(all, b...)
	}
	left := 0
	for _, i := range gone {
		// Also a part of it would help somebody who searches the rest.
		if bytes.Contains(all, wrapped[i]) || bytes.Contains(all, wrapped[i][24:48]) {
			left++
		}
	}
	if left > 0 {
		t.Errorf("%d of %d destroyed keys are still in %v", left, len(gone), files)
	}
	for _, i := range order[rows/3:] {
		if !bytes.Contains(all, wrapped[i]) {
			t.Fatalf("key %d, which lives, is gone", i)
		}
	}
}

func TestAReaderThatHoldsTheLogDelaysScrubbingUntilItEnds(t *testing.T) {
	k, path := openKeys(t, "sqlite")
	wrapped := bytes.Repeat([]byte{0xa5, 0x5a, 0x3c}, 24)
	_, err := k.PutDataKey(ctx, storage.DataKey{Session: "ses_a", Class: storage.Consent, KeyID: "k1", Wrapped: wrapped, CreatedAt: testStart})
	ok(t, err)
	rows, err := k.store.read.QueryContext(ctx, "SELECT session FROM data_keys") // an open snapshot
	ok(t, err)
	if !rows.Next() {
		t.Fatal("no row")
	}
	_, err = k.DestroyDataKey(ctx, "ses_a", storage.Consent, testStart)
	ok(t, err)
	done := make(chan error, 1)
	go func() { done <- k.Scrub(ctx) }()
	time.Sleep(200 * time.Millisecond)
	ok(t, rows.Err())
	rows.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if found := inFiles(t, path, wrapped); len(found) > 0 {
		t.Fatalf("still in %v", found)
	}
}

func TestDataKeysMoveToTheKeyStoreAndWhatItKnowsWins(t *testing.T) {
	s := openTest(t, "sqlite", (&testClock{t: testStart}).Now)
	k, _ := openKeys(t, "sqlite")
	put := func(ix storage.KeyIndex, session, wrapped string) {
		t.Helper()
		_, err := ix.PutDataKey(ctx, storage.DataKey{Session: session, Class: storage.Consent, KeyID: "k1", Wrapped: []byte(wrapped), CreatedAt: testStart})
		ok(t, err)
	}
	all := make([]int, 1200)
	for i := range all {
		all[i] = i
	}
	together(all, func(i int) { put(s, fmt.Sprintf("ses_%04d", i), "w") })
	put(s, "ses_moved", "old")
	put(k, "ses_moved", "new")
	put(s, "ses_erased", "back from a backup")
	for _, ix := range []storage.KeyIndex{k, s} {
		_, err := ix.DestroyDataKey(ctx, map[bool]string{true: "ses_erased", false: "ses_gone"}[ix == storage.KeyIndex(k)], storage.Consent, testStart)
		ok(t, err)
	}
	n, err := MoveDataKeys(ctx, s, k)
	if err != nil || n != 1203 {
		t.Fatalf("moved %d, %v", n, err)
	}
	if n, err := MoveDataKeys(ctx, s, k); n != 0 || err != nil {
		t.Fatalf("moved %d again, %v", n, err)
	}
	for session, want := range map[string]string{"ses_0007": "w", "ses_moved": "new", "ses_erased": "", "ses_gone": ""} {
		row, err := k.GetDataKey(ctx, session, storage.Consent)
		if err != nil || string(row.Wrapped) != want || row.DestroyedAt.IsZero() != (want != "") {
			t.Errorf("%s: %+v, %v", session, row, err)
		}
	}
	if _, err := s.GetDataKey(ctx, "ses_0007", storage.Consent); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the session store still has it: %v", err)
	}
}
