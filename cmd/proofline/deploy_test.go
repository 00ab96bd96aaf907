package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/alecthomas/kong"
)

// Compose file, manifests, units and image set only variables that are settings.
func TestTheDeploymentFilesSetSettingsThatExist(t *testing.T) {
	known := map[string]bool{"PROOFLINE_SECRET": true, "PROOFLINE_PUBLIC_URL": true} // the compose file's own
	var c commands
	var walk func(*kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			for _, e := range f.Envs {
				known[e] = true
			}
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(kong.Must(&c, options(t.Context())...).Model.Node)
	variable := regexp.MustCompile(`PROOFLINE_[A-Z0-9_]*[A-Z0-9]`)
	files, err := filepath.Glob("../../deploy/*/*.*")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range append(files, "../../deploy/compose.yaml", "../../Dockerfile") {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range variable.FindAllString(string(b), -1) {
			seen++
			if !known[v] {
				t.Errorf("%s sets %s, which is no setting", f, v)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d settings found in %d files", seen, len(files))
	}
}
