package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"text/tabwriter"
)

// Status is what [Verify] found for one model.
type Status struct {
	Model
	Path  string `json:"path"`
	State string `json:"state"` // "ok", "missing", "mismatch" or "unreadable"
	Error string `json:"error,omitempty"`
}

// List returns the models of a profile as dir would offer them, without
// reading their files; an operator's manifest.yaml in dir is taken into
// account.
func List(dir, profile string) ([]Model, error) {
	if dir == "" {
		dir = DefaultDir()
	}
	return listed(dir, profile)
}

// Verify reads every file of a profile and says what it is.
func Verify(dir, profile string) ([]Status, error) {
	if dir == "" {
		dir = DefaultDir()
	}
	ms, err := listed(dir, profile)
	if err != nil {
		return nil, err
	}
	var out []Status
	for _, m := range ms {
		s := Status{Model: m, Path: filepath.Join(dir, m.File), State: "ok"}
		var mismatch *MismatchError
		switch err := verifyFile(s.Path, m); {
		case errors.Is(err, fs.ErrNotExist):
			s.State = "missing"
		case errors.As(err, &mismatch):
			s.State, s.Error = "mismatch", err.Error()
		case err != nil:
			s.State, s.Error = "unreadable", err.Error()
		}
		out = append(out, s)
	}
	return out, nil
}

// WriteStatus prints statuses for a person, or one JSON object per line.
func WriteStatus(w io.Writer, statuses []Status, asJSON bool) error {
	if asJSON {
		return writeLines(w, statuses)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "STATE\tROLE\tMODEL\tLICENCE\tSIZE\tFILE")
	for _, s := range statuses {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", s.State, s.Role, s.Name, s.Licence, size(s.Size), s.Path)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, s := range statuses {
		if s.Error != "" {
			fmt.Fprintln(w, s.Error)
		}
	}
	return nil
}

// WriteList prints models for a person, or one JSON object per line.
func WriteList(w io.Writer, ms []Model, asJSON bool) error {
	if asJSON {
		return writeLines(w, ms)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "PROFILE\tROLE\tMODEL\tLICENCE\tSIZE\tINPUT\tFIRST SOURCE")
	for _, m := range ms {
		from := "supplied by the operator"
		if len(m.Sources) > 0 {
			from = m.Sources[0].String()
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Profile, m.Role, m.Name, m.Licence, size(m.Size), m.Input.short(), from)
	}
	return tw.Flush()
}

func (in Input) short() string {
	if in.Width == 0 {
		return in.Channels
	}
	return fmt.Sprintf("%d×%d %s %s", in.Width, in.Height, in.Channels, in.Layout)
}

func writeLines[T any](w io.Writer, items []T) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, it := range items {
		if err := enc.Encode(it); err != nil {
			return err
		}
	}
	return nil
}

func size(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	default:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
}
