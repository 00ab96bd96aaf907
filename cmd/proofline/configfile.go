package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

const maxConfigBytes = 1 << 20

// configFlag loads a configuration file into the flags.
type configFlag string

// BeforeResolve puts the file's values behind the command line and the
// environment.
func (c configFlag) BeforeResolve(k *kong.Kong, ctx *kong.Context, trace *kong.Path) error {
	path := string(ctx.FlagValue(trace.Flag).(configFlag))
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return fmt.Errorf("read configuration %s: %w", path, err)
	}
	if len(b) > maxConfigBytes {
		return fmt.Errorf("configuration %s is larger than %d bytes", path, maxConfigBytes)
	}
	r, err := parseConfig(b)
	if err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	ctx.AddResolver(r)
	return nil
}

// configFile holds the flattened keys of a configuration file, such as
// "queue.redis.addr".
type configFile map[string]any

func parseConfig(b []byte) (configFile, error) {
	var tree map[string]any
	if err := yaml.Unmarshal(b, &tree); err != nil {
		// Without the lines around it, which may hold passwords.
		return nil, errors.New(yaml.FormatError(err, false, false))
	}
	flat := configFile{}
	if err := flat.add("", tree, 0); err != nil {
		return nil, err
	}
	return flat, nil
}

func (c configFile) add(prefix string, tree map[string]any, depth int) error {
	if depth > 8 {
		return fmt.Errorf("%s: nested too deeply", prefix)
	}
	for k, v := range tree {
		key := prefix + strings.ReplaceAll(k, "_", "-")
		switch v := v.(type) {
		case map[string]any:
			if err := c.add(key+".", v, depth+1); err != nil {
				return err
			}
		case []any:
			parts := make([]string, len(v))
			for i, p := range v {
				parts[i] = fmt.Sprint(p)
			}
			c[key] = strings.Join(parts, ",")
		case nil:
		default:
			c[key] = fmt.Sprint(v)
		}
	}
	return nil
}

// Validate refuses keys that no setting has: a misspelt key must not leave a
// default in force unnoticed.
func (c configFile) Validate(app *kong.Application) error {
	known := map[string]bool{}
	for _, n := range app.Children {
		if n.Name == "up" {
			for _, f := range n.Flags {
				known[f.Name] = true
			}
		}
	}
	var unknown []string
	for k := range c {
		if !known[k] {
			unknown = append(unknown, k)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return fmt.Errorf("configuration: unknown keys: %s (see `proofline config`)", strings.Join(unknown, ", "))
	}
	return nil
}

// Resolve gives a flag its value from the file unless the environment has one.
func (c configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, e := range flag.Envs {
		if _, ok := os.LookupEnv(e); ok {
			return nil, nil
		}
	}
	v, ok := c[flag.Name]
	if !ok {
		return nil, nil
	}
	return v, nil
}
