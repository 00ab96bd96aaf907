package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAFileGetsItsNameWhenItIsWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "export")
	say := func(text string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, werr := io.WriteString(w, text)
			return errors.Join(werr, err)
		}
	}
	broken := errors.New("the disk is full")
	if err := writeFile(path, say("half", broken)); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("a broken export leaves %v", files)
	}
	if err := os.WriteFile(path, []byte("the one before"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(link, say("half", broken)); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "the one before" {
		t.Errorf("a broken export over another leaves %q", b)
	}
	if err := writeFile(link, say("whole", nil)); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	info, err := os.Lstat(path)
	if err != nil || string(b) != "whole" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v", b, info, err)
	}
	if l, err := os.Lstat(link); err != nil || l.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", l, err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("left over: %v", files)
	}
}

func TestAPipeIsWrittenAsItIs(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	got := make(chan string, 1)
	go func() {
		b, _ := os.ReadFile(pipe)
		got <- string(b)
	}()
	if err := writeFile(pipe, func(w io.Writer) error { _, err := io.WriteString(w, "an export"); return err }); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != "an export" {
		t.Errorf("read %q", text)
	}
}
