package storage_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/storage/storagetest"
)

func openFS(t *testing.T, dir string) *storage.FS {
	t.Helper()
	f, err := storage.OpenFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestFSKeepsTheBlobContract(t *testing.T) {
	storagetest.RunBlobs(t, func(t *testing.T) storage.Blobs { return openFS(t, t.TempDir()) })
}

func TestFSLeavesNothingReadableByOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blobs")
	f := openFS(t, dir)
	if err := f.Put(context.Background(), "a/b/c", strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := e.Info()
		if err != nil {
			return err
		}
		if i.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", p, i.Mode())
		}
		if !e.IsDir() {
			files++
		}
		return nil
	})
	if err != nil || files != 1 {
		t.Fatalf("%d files, %v", files, err)
	}
}

func TestFSOpenRemovesOldTemporaryFilesOnly(t *testing.T) {
	dir := t.TempDir()
	openFS(t, dir)
	old, fresh := filepath.Join(dir, ".tmp", "old"), filepath.Join(dir, ".tmp", "fresh")
	for _, p := range []string{old, fresh} {
		if err := os.WriteFile(p, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	openFS(t, dir)
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("old temporary file: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("a temporary file in use was removed: %v", err)
	}
}

func TestFSDoesNotFollowLinksOutOfItsDirectory(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	f := openFS(t, dir)
	if err := os.Symlink(outside, filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(context.Background(), "a/b", strings.NewReader("x"), 1); err == nil {
		t.Fatal("wrote through a link")
	}
	left, err := os.ReadDir(outside)
	if err != nil || len(left) != 0 {
		t.Fatalf("outside: %v, %v", left, err)
	}
}
