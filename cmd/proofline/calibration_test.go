package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/policy"
)

// The thresholds that ship are those of the scores that the installed networks
// give, with the second one and without it.
func TestTheShippedCalibrationIsThatOfTheInstalledNetworks(t *testing.T) {
	full, err := models.Open("", "")
	if err != nil {
		t.Fatal(err)
	}
	without := t.TempDir()
	for _, role := range []string{"face-detect-near", "face-detect-far", "face-embed"} {
		path, err := full.Path(role)
		if err != nil {
			t.Skipf("models are not installed: %v", err)
		}
		if err := os.Symlink(path, filepath.Join(without, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	for name, dir := range map[string]string{"default": full.Dir(), "default-one": without} {
		if name == "default" && !models.Has(dir, "face-embed-dlib") {
			continue
		}
		s := engineSettings{Models: modelSettings{Dir: dir}}
		if got := s.calibrationName(); got != name {
			t.Errorf("calibration %s, want %s", got, name)
		}
		set, err := s.openModels()
		if err != nil {
			t.Fatal(err)
		}
		e, err := face.Open(set)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		b, err := policy.ShippedCalibration(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := policy.ParseCalibration(b)
		if err != nil || c.Model != policy.ModelRef(e.EmbeddingModel()) {
			t.Errorf("%s is of %+v, the engine's scores are of %+v, %v", name, c.Model, e.EmbeddingModel(), err)
		}
	}
	if got := (engineSettings{Models: modelSettings{Dir: t.TempDir()}}).calibrationName(); got != "default" {
		t.Errorf("without models: %s", got)
	}
}
