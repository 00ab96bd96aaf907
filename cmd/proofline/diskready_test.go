package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

func TestADataDirectoryThatTakesNothingIsNotReady(t *testing.T) {
	dir := t.TempDir()
	if err := diskCheck(dir)(context.Background()); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%d files are left behind", len(left))
	}
	if err := diskCheck(filepath.Join(dir, "gone"))(context.Background()); err == nil {
		t.Error("a directory that is not there is ready")
	}
	if err := tryWrite("/proc"); err == nil {
		t.Error("a directory that takes no files is ready")
	}
}
