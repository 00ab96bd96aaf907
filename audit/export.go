package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// exportHeader is the first line of an export.
const exportHeader = `{"proofline_audit_export":1}`

// checkpointLine carries a signed note on one line of an export.
type checkpointLine struct {
	Checkpoint string `json:"checkpoint"`
}

// Export writes the log as JSON Lines: a header, every checkpoint as
// {"checkpoint":"…"}, then every entry in its canonical form, whose line
// without the newline is the very leaf that was hashed.
func Export(w io.Writer, checkpoints, entries iter.Seq2[[]byte, error]) error {
	b := bufio.NewWriterSize(w, 1<<16)
	// A bufio.Writer keeps its first error for Flush.
	_, _ = b.WriteString(exportHeader + "\n")
	for c, err := range checkpoints {
		if err != nil {
			return fmt.Errorf("export checkpoints: %w", err)
		}
		line, err := json.Marshal(checkpointLine{string(c)})
		if err != nil {
			return fmt.Errorf("export checkpoint: %w", err)
		}
		_, _ = b.Write(append(line, '\n'))
	}
	for e, err := range entries {
		if err != nil {
			return fmt.Errorf("export audit log: %w", err)
		}
		_, _ = b.Write(e)
		if err := b.WriteByte('\n'); err != nil {
			return fmt.Errorf("export audit log: %w", err)
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("export audit log: %w", err)
	}
	return nil
}

// ReadExport reads what Export wrote, as it is asked for: first all checkpoints,
// then the entries. It checks no signature; give the result to Verify, which
// reads them in that order.
func ReadExport(r io.Reader) (checkpoints, entries iter.Seq2[[]byte, error], err error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 4096), MaxEntryBytes+1)
	if !s.Scan() || s.Text() != exportHeader {
		return nil, nil, errors.Join(errors.New("not an audit export of version 1"), s.Err())
	}
	more := s.Scan()
	checkpoints = func(yield func([]byte, error) bool) {
		for ; more && bytes.HasPrefix(s.Bytes(), []byte(`{"checkpoint":`)); more = s.Scan() {
			var c checkpointLine
			if err := json.Unmarshal(s.Bytes(), &c); err != nil {
				yield(nil, fmt.Errorf("read exported checkpoint: %w", err))
				return
			}
			if !yield([]byte(c.Checkpoint), nil) {
				return
			}
		}
	}
	entries = func(yield func([]byte, error) bool) {
		for ; more; more = s.Scan() {
			if !yield(s.Bytes(), nil) {
				return
			}
		}
		if err := s.Err(); err != nil {
			yield(nil, err)
		}
	}
	return checkpoints, entries, nil
}
