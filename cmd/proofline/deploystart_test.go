package main

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

func deployFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// starts holds a command, as a deployment runs it, against the program: that it
// exists with its flags, and that its settings would let it start.
func starts(t *testing.T, args []string, env map[string]string) {
	t.Helper()
	for k, v := range env {
		t.Setenv(k, v)
	}
	var c commands
	if _, err := kong.Must(&c, options(t.Context())...).Parse(args); err != nil {
		t.Fatalf("proofline %s: %v", strings.Join(args, " "), err)
	}
	var err error
	switch args[0] {
	case "up":
		err = c.Up.validate(true)
	case "serve":
		err = c.Serve.validate(false)
	case "worker":
		err = c.Worker.validate(false)
	case "health":
	default:
		t.Fatalf("a deployment runs proofline %s", args[0])
	}
	if err != nil {
		t.Errorf("proofline %s does not start: %v", strings.Join(args, " "), err)
	}
}

// substituted is compose's ${NAME}, ${NAME:-default} and ${NAME:?message}, with only
// what has to be set.
func substituted(s string) string {
	return regexp.MustCompile(`\$\{(\w+)(?::([-?])([^}]*))?\}`).ReplaceAllStringFunc(s, func(v string) string {
		if _, fallback, ok := strings.Cut(v, ":-"); ok {
			return strings.TrimSuffix(fallback, "}")
		}
		return "0123456789abcdef"
	})
}

func TestWhatTheComposeFileRunsStarts(t *testing.T) {
	var file struct {
		Services map[string]struct {
			Image       string
			Command     []string
			Environment map[string]string
			Healthcheck struct{ Test []string }
		}
	}
	// What a service says itself stands beside what it merges in.
	if err := yaml.UnmarshalWithOptions([]byte(substituted(deployFile(t, "deploy/compose.yaml"))), &file, yaml.AllowDuplicateMapKey()); err != nil {
		t.Fatal(err)
	}
	ours := 0
	for _, name := range slices.Sorted(maps.Keys(file.Services)) {
		s := file.Services[name]
		if s.Image != "proofline" {
			continue
		}
		ours++
		t.Run(name, func(t *testing.T) { starts(t, s.Command, s.Environment) })
		if check := s.Healthcheck.Test; len(check) > 0 {
			t.Run(name+" health", func(t *testing.T) { starts(t, check[2:], nil) })
		}
	}
	if ours != 3 {
		t.Errorf("%d services run this program, want 3", ours)
	}
}

func TestWhatTheKubernetesManifestsRunStarts(t *testing.T) {
	text := deployFile(t, "deploy/kubernetes/proofline.yaml")
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`--from-literal=(\w+)=`).FindAllStringSubmatch(text, -1) {
		env[m[1]] = map[string]string{"PROOFLINE_STORE_DSN": "postgres://u:p@h/d", "PROOFLINE_QUEUE_ADDRESS": "rediss://h:6379"}[m[1]]
		if env[m[1]] == "" {
			env[m[1]] = "0123456789abcdef"
		}
	}
	var commands [][]string
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var o struct {
			Kind string
			Data map[string]string
			Spec struct {
				Template struct {
					Spec struct{ Containers []struct{ Args []string } }
				}
			}
		}
		// The autoscaler's metrics and the services have other specs; they are not read.
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if config := o.Data["config.yaml"]; config != "" {
			env["PROOFLINE_CONFIG"] = write(t, "config.yaml", []byte(config))
		}
		for _, c := range o.Spec.Template.Spec.Containers {
			commands = append(commands, c.Args)
		}
	}
	if len(commands) != 2 || env["PROOFLINE_CONFIG"] == "" {
		t.Fatalf("%d containers, configuration %q", len(commands), env["PROOFLINE_CONFIG"])
	}
	for _, args := range commands {
		t.Run(args[0], func(t *testing.T) { starts(t, args, env) })
	}
}

func TestWhatTheUnitsAndTheImageRunStarts(t *testing.T) {
	many := map[string]string{ // what an administrator puts into config.yaml for many machines
		"PROOFLINE_STORE_DSN": "postgres://u:p@h/d", "PROOFLINE_QUEUE_ADDRESS": "rediss://h:6379", "PROOFLINE_KEYS_FILE": "/keys/keyring",
		"PROOFLINE_STORAGE_DRIVER": "s3", "PROOFLINE_STORAGE_S3_ENDPOINT": "h", "PROOFLINE_STORAGE_S3_BUCKET": "b",
		"PROOFLINE_STORAGE_S3_ACCESS_KEY": "a", "PROOFLINE_STORAGE_S3_SECRET_KEY": "s",
	}
	units, err := filepath.Glob("../../deploy/systemd/*.service")
	if err != nil || len(units) != 3 {
		t.Fatal(units, err)
	}
	for _, u := range units {
		_, line, found := strings.Cut(deployFile(t, "deploy/systemd/"+filepath.Base(u)), "\nExecStart=/usr/local/bin/proofline ")
		line, _, _ = strings.Cut(line, "\n")
		if !found {
			t.Fatalf("%s starts nothing", u)
		}
		env := many
		if line == "up" {
			env = nil
		}
		t.Run(filepath.Base(u), func(t *testing.T) { starts(t, strings.Fields(line), env) })
	}
	image := deployFile(t, "Dockerfile")
	list := func(after string) (words []string) {
		m := regexp.MustCompile(after + `(\[.*\])`).FindStringSubmatch(image)
		if m == nil || json.Unmarshal([]byte(m[1]), &words) != nil {
			t.Fatalf("the image has no %s", after)
		}
		return words
	}
	public := regexp.MustCompile(`-e (PROOFLINE_PUBLIC_URL)=(\S+)`).FindStringSubmatch(image)
	if public == nil {
		t.Fatal("the image's first lines do not say how it is run")
	}
	t.Run("image", func(t *testing.T) { starts(t, list("\nCMD "), map[string]string{public[1]: public[2]}) })
	t.Run("image health", func(t *testing.T) { starts(t, list(`HEALTHCHECK .*\\\n  CMD `)[1:], nil) })
}
