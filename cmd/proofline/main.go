// Command proofline is the whole of Proofline in one binary: the server, the
// worker, and the offline commands for people and scripts.
//
// main.go holds the command table; each command has a file of its own.
// Settings are one set of flags (settings.go) that also come from the
// environment and from a configuration file.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/proofline/proofline/photo/isolate"
)

// version is set by the build.
var version = "dev"

type commands struct {
	Config  configFlag  `help:"Configuration file (YAML); its keys are the long flags, nested at the dots." placeholder:"FILE" env:"PROOFLINE_CONFIG"`
	Version versionFlag `help:"Print the version and exit." env:"-"`

	Demo      demoCmd      `cmd:"" help:"Run real cases end to end on this machine and show the decisions."`
	DemoData  demoDataCmd  `cmd:"" name:"demo-data" help:"Fill an empty store with simulated cases, or remove them."`
	Up        upCmd        `cmd:"" help:"Run everything in one process: pages, API, queue, worker."`
	Serve     serveCmd     `cmd:"" help:"Run the API and the pages; needs Redis and workers elsewhere."`
	Worker    workerCmd    `cmd:"" help:"Run a worker; needs Redis."`
	Bench     benchCmd     `cmd:"" help:"Put load on a server and measure cases a minute and waiting times."`
	Capacity  capacityCmd  `cmd:"" help:"Plan machines for a number of cases a day from a measurement by bench."`
	SBOM      sbomCmd      `cmd:"" name:"sbom" help:"Say what this binary is made of (CycloneDX)."`
	Health    healthCmd    `cmd:"" help:"Ask a running server or worker whether it is ready."`
	Verify    verifyCmd    `cmd:"" help:"Verify one whole case from image files, without a server."`
	Inspect   inspectCmd   `cmd:"" help:"Show what one stage sees in image files."`
	MRZ       mrzCmd       `cmd:"" name:"mrz" help:"Work with machine-readable zones as text."`
	Eval      evalCmd      `cmd:"" help:"Measure error rates over a labelled manifest."`
	Specimen  specimenCmd  `cmd:"" help:"Draw specimen documents, photos of them, selfies and attacks."`
	Models    modelsCmd    `cmd:"" help:"List, fetch and verify the models."`
	Policy    policyCmd    `cmd:"" help:"Check and show policies."`
	Audit     auditCmd     `cmd:"" help:"Verify and export the audit log."`
	Explain   explainCmd   `cmd:"" help:"Say what happened to a session and why, for support, compliance or an auditor."`
	Receipt   receiptCmd   `cmd:"" help:"Write or check the signed receipt of a decision."`
	Deleted   deletedCmd   `cmd:"" name:"certificate" help:"Write or check the deletion certificates of a session."`
	Replay    replayCmd    `cmd:"" help:"Compute recorded decisions again and compare."`
	ConfigCmd configShow   `cmd:"" name:"config" help:"Show every setting with its value, where it came from and why it exists."`
	Keys      apiKeysCmd   `cmd:"" name:"api-key" help:"Create and list API keys of relying services."`
	Queue     queueCmd     `cmd:"" help:"List work that was given up, and start it again."`
	User      userCmd      `cmd:"" help:"Add, list and change the accounts of people who work here."`
	Review    reviewCmd    `cmd:"" help:"List, show and decide cases that wait for a person."`
	Drift     driftCmd     `cmd:"" help:"Compare recent scores and verdicts with those before."`
	Retention retentionCmd `cmd:"" help:"Erase what is past its retention; legal holds."`
	Keyring   keysCmd      `cmd:"" name:"keys" help:"List, add, rotate and retire the keys that wrap all data keys."`
	Storage   storageCmd   `cmd:"" help:"Check the stored evidence, write lifecycle rules, look over a restore."`

	Print versionCmd `cmd:"" name:"version" help:"Print the version."`
}

func main() {
	if isolate.IsChild() {
		os.Exit(isolate.Child())
	}
	startWithLimits()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends the process at once.
	go func() { <-ctx.Done(); stop() }()

	var c commands
	parser := kong.Must(&c, options(ctx)...)
	k, err := parser.Parse(os.Args[1:])
	if err != nil {
		var pe *kong.ParseError
		if errors.As(err, &pe) && len(os.Args) == 1 {
			_ = pe.Context.PrintUsage(false)
			os.Exit(2)
		}
		fmt.Fprintf(os.Stderr, "proofline: %v\n", err)
		os.Exit(2)
	}
	for _, w := range warnOfVariables(k) {
		fmt.Fprintf(os.Stderr, "proofline: warning: %s\n", w)
	}
	if err := k.Run(); err != nil {
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			os.Exit(130)
		}
		var e exitError
		if errors.As(err, &e) {
			if e.msg != "" {
				fmt.Fprintf(os.Stderr, "proofline: %s\n", e.msg)
			}
			os.Exit(e.code)
		}
		fmt.Fprintf(os.Stderr, "proofline: %v\n", err)
		os.Exit(1)
	}
}

func options(ctx context.Context) []kong.Option {
	return []kong.Option{
		kong.Name("proofline"),
		kong.Description("Self-hosted document capture and verification.\n\nStart with `proofline demo`. Every flag can also be set as PROOFLINE_<FLAG> or in the configuration file; flags win over the environment, and that over the file."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.PostBuild(nameEnvironment),
		kong.Vars{"version": version},
		kong.BindTo(ctx, (*context.Context)(nil)),
	}
}

// nameEnvironment gives every flag its variable: --storage.s3.access-key is
// PROOFLINE_STORAGE_S3_ACCESS_KEY. (kong's own naming would split "s3".)
func nameEnvironment(k *kong.Kong) error {
	var walk func(*kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			switch {
			case f.Name == "help", len(f.Envs) == 1 && f.Envs[0] == "-":
				f.Envs, f.Tag.Envs = nil, nil
			case len(f.Envs) == 0:
				f.Envs = []string{"PROOFLINE_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(f.Name))}
				f.Tag.Envs = f.Envs
			}
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(k.Model.Node)
	return nil
}

// exitError ends the process with a code that scripts can tell apart.
type exitError struct {
	code int
	msg  string
}

func (e exitError) Error() string { return e.msg }

// startWithLimits sets what the C libraries read only when a process starts,
// and so can not be set from inside: the process replaces itself once.
// Tesseract uses one thread per engine then, and the C allocator keeps one
// arena per core instead of eight, each with what was freed in it.
func startWithLimits() {
	changed := false
	for name, value := range map[string]string{"OMP_THREAD_LIMIT": "1", "MALLOC_ARENA_MAX": strconv.Itoa(max(2, runtime.NumCPU()))} {
		if os.Getenv(name) == "" {
			changed = os.Setenv(name, value) == nil || changed
		}
	}
	if !changed {
		return
	}
	exe, err := os.Executable()
	if err != nil {
		return
	}
	// On failure the process goes on; it is only slower and larger.
	_ = syscall.Exec(exe, os.Args, os.Environ())
}

type versionCmd struct{}

func (versionCmd) Run(k *kong.Context) error {
	fmt.Fprintln(k.Stdout, "proofline", version)
	return nil
}

// versionFlag prints the version. It is not read from the environment.
type versionFlag bool

func (versionFlag) BeforeReset(app *kong.Kong, vars kong.Vars) error {
	fmt.Fprintln(app.Stdout, "proofline", vars["version"])
	app.Exit(0)
	return nil
}
