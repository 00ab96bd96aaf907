package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/storage"
)

func TestADeletionIsProvenWithThePublicKeyAlone(t *testing.T) {
	ctx := context.Background()
	dir, ids := logged(t, 2)
	n, err := openNode(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []storage.Class{storage.CaptureImage, storage.ExtractedFields} {
		if _, err := n.vault.PutBytes(ctx, storage.Ref{Session: ids[0], Class: class, Kind: "selfie"}, []byte("photo"), time.Now().Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(5 * time.Millisecond)
	r, err := pipeline.SweepEvidence(ctx, n.store, n.vault, time.Now(), 100)
	if err != nil || len(r.Certificates) != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "deleted.json")
	if code, _, stderr := said(t, "certificate", ids[0], "--data-dir", dir, "--out", file); code != 0 {
		t.Fatal(stderr)
	}
	key := filepath.Join(dir, "audit.key.pub")
	code, out, stderr := said(t, "certificate", "verify", file, "--key", key)
	if code != 0 || !strings.Contains(out, "capture_image: key destroyed") || !strings.Contains(out, "extracted_fields: key destroyed") || strings.Count(out, "1 objects deleted") != 2 {
		t.Errorf("exit %d: %s%s", code, out, stderr)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for what, lie := range map[string][]byte{
		"another class":      bytes.Replace(b, []byte(`"class":"capture_image"`), []byte(`"class":"review_note"`), 1),
		"another session":    bytes.ReplaceAll(b, []byte(ids[0]), []byte(ids[1])),
		"an earlier time":    bytes.Replace(b, []byte(`"key_destroyed_at":"20`), []byte(`"key_destroyed_at":"19`), 1),
		"nothing":            []byte(`{"proofline_deletion":1}`),
		"a field of its own": bytes.Replace(b, []byte(`{`), []byte(`{"x":1,`), 1),
	} {
		if err := os.WriteFile(file, lie, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, _ := said(t, "certificate", "verify", file, "--key", key); code != 3 {
			t.Errorf("%s: exit %d: %s", what, code, out)
		}
	}
	if code, _, stderr := said(t, "certificate", ids[1], "--data-dir", dir); code != 3 || !strings.Contains(stderr, "no deletion certificate") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	_, out, _ = said(t, "explain", ids[0], "--data-dir", dir, "--for", "auditor", "--json")
	var a struct {
		Evidence []struct {
			Class       string
			Certificate struct{ SHA256 string }
		}
	}
	if err := json.Unmarshal([]byte(out), &a); err != nil || len(a.Evidence) < 2 || a.Evidence[0].Certificate.SHA256 == "" {
		t.Errorf("%v: %s", err, out)
	}
}
