package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// diskCheck says whether the data directory takes a small file: a full or
// read-only disk answers reads, and every upload would fail. /readyz asks
// without a login, so a result holds for some seconds.
func diskCheck(dir string) func(context.Context) error {
	const holds = 5 * time.Second
	var mu sync.Mutex
	var asked time.Time
	var last error
	return func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(asked) > holds {
			asked, last = time.Now(), tryWrite(dir)
		}
		return last
	}
}

func tryWrite(dir string) error {
	f, err := os.CreateTemp(dir, ".ready-*")
	if err != nil {
		return fmt.Errorf("write to the data directory: %w", err)
	}
	_, err = f.Write(bytes.Repeat([]byte{'r'}, 4096))
	if err := errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("write to the data directory: %w", err)
	}
	return nil
}

// keepsFiles: the store or the evidence lie in the data directory.
func (s settings) keepsFiles() bool {
	return s.Storage.Driver == "fs" || strings.HasPrefix(s.storeDSN(), "sqlite:")
}
