package specimen

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/proofline/proofline/photo"
)

// The rows have the fields of the labelled sets that eval reads.
type (
	mrzRow struct {
		File           string      `json:"file"`
		Set            string      `json:"set"`
		Format         Format      `json:"format,omitempty"`
		MRZ            []string    `json:"mrz"`
		AllChecksValid bool        `json:"all_checks_valid"`
		DocGroup       string      `json:"doc_group"`
		Split          string      `json:"split"`
		Licence        string      `json:"licence"`
		Width          int         `json:"width"`
		Height         int         `json:"height"`
		Tags           []string    `json:"tags"`
		Quad           photo.Quad  `json:"quad"`
		MRZQuad        *photo.Quad `json:"mrz_quad,omitempty"`
		Truth          string      `json:"truth"`
	}
	documentRow struct {
		File    string            `json:"file"`
		Set     string            `json:"set"`
		DocType string            `json:"doc_type"`
		Country string            `json:"country"`
		Viz     map[string]string `json:"viz"`
		MRZ     []string          `json:"mrz"`
		Split   string            `json:"split"`
		Licence string            `json:"licence"`
		Quad    photo.Quad        `json:"quad"`
		Truth   string            `json:"truth"`
	}
	qualityRow struct {
		File       string   `json:"file"`
		Set        string   `json:"set"`
		Labels     []string `json:"labels"`
		Variant    string   `json:"variant"`
		IsDocument bool     `json:"is_document"`
		Split      string   `json:"split"`
		DocGroup   string   `json:"doc_group"`
		Licence    string   `json:"licence"`
		Truth      string   `json:"truth"`
	}
	pairRow struct {
		Set   string `json:"set"`
		A     string `json:"a"`
		B     string `json:"b"`
		Same  int    `json:"same"`
		IDA   string `json:"ida"`
		IDB   string `json:"idb"`
		Split string `json:"split"`
	}
	livenessRow struct {
		File         string  `json:"file"`
		Set          string  `json:"set"`
		Label        string  `json:"label"`
		Attack       *string `json:"attack"`
		SubjectGroup string  `json:"subject_group"`
		Framing      string  `json:"framing"`
		FaceBox      [4]int  `json:"face_box"`
		Split        string  `json:"split"`
		Licence      string  `json:"licence"`
		Truth        string  `json:"truth"`
	}
)

func (w *writer) add(manifest string, row any) { w.rows[manifest] = append(w.rows[manifest], row) }

func (w *writer) manifests() error {
	for _, name := range []string{"mrz.jsonl", "documents.jsonl", "quality.jsonl", "pairs.jsonl", "liveness.jsonl"} {
		rows := w.rows[name]
		if len(rows) == 0 {
			continue
		}
		f, err := os.Create(filepath.Join(w.dir, name))
		if err != nil {
			return err
		}
		out := bufio.NewWriter(f)
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		for _, row := range rows {
			if err := enc.Encode(row); err != nil {
				return errors.Join(err, f.Close())
			}
		}
		if err := errors.Join(out.Flush(), f.Close()); err != nil {
			return err
		}
		w.done.Manifests = append(w.done.Manifests, name)
	}
	return nil
}
