package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestTheBillOfMaterialsNamesModulesLibrariesAndModels(t *testing.T) {
	out, err := program("sbom").Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var b sbom
	if err := json.Unmarshal(out, &b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || b.Spec != "1.6" || b.Metadata.Component.Name != "proofline" {
		t.Errorf("%+v", b.Metadata)
	}
	refs, kinds := map[string]bool{}, map[string]int{}
	opencv := false
	for _, c := range b.Components {
		if refs[c.Ref] {
			t.Errorf("%s is listed twice", c.Ref)
		}
		refs[c.Ref] = true
		switch {
		case strings.HasPrefix(c.Ref, "pkg:golang/"):
			kinds["module"]++
			if c.Version == "" || c.Properties[0].Value == "" {
				t.Errorf("%+v", c)
			}
		case strings.HasPrefix(c.Ref, "lib:"):
			kinds["library"]++
			opencv = opencv || strings.Contains(c.Name, "opencv_core")
			if len(c.Hashes) != 1 || len(c.Hashes[0].Content) != 64 {
				t.Errorf("%+v", c)
			}
		case c.Type == "machine-learning-model":
			kinds["model"]++
		}
	}
	if kinds["module"] < 20 || kinds["library"] < 10 || kinds["model"] < 5 || !opencv {
		t.Errorf("%v, OpenCV %v", kinds, opencv)
	}
	again, err := program("sbom").Output()
	if err != nil || !bytes.Equal(out, again) {
		t.Errorf("a second run says something else: %v", err)
	}
}
