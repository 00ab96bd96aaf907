package main

import (
	"context"
	"fmt"
	"os"

	"github.com/proofline/proofline/models"
)

type modelsCmd struct {
	List   modelsListCmd   `cmd:"" help:"List the models with their roles, licences and sources."`
	Fetch  modelsFetchCmd  `cmd:"" help:"Fetch missing models and verify every byte of them."`
	Verify modelsVerifyCmd `cmd:"" help:"Verify the model files against the manifest."`
}

type modelFlags struct {
	Dir     string `help:"Directory of the model files; can hold files that you supply yourself." placeholder:"DIR" env:"PROOFLINE_MODELS_DIR"`
	Profile string `help:"default (from the npm registry), zoo (from public repositories) or all." enum:"default,zoo,all" default:"default" env:"PROOFLINE_MODELS_PROFILE"`
	JSON    bool   `name:"json" help:"Write JSON."`
}

func (f modelFlags) dir() string {
	return engineSettings{Models: modelSettings{Dir: f.Dir}}.modelsDir()
}

type modelsListCmd struct{ modelFlags }

func (c *modelsListCmd) Run() error {
	ms, err := models.List(c.dir(), c.Profile)
	if err != nil {
		return err
	}
	return models.WriteList(os.Stdout, ms, c.JSON)
}

type modelsFetchCmd struct{ modelFlags }

func (c *modelsFetchCmd) Run(ctx context.Context) error {
	if err := models.Fetch(ctx, c.dir(), c.Profile, models.NewBar(os.Stderr)); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "models are complete in %s\n", c.dir())
	return nil
}

type modelsVerifyCmd struct{ modelFlags }

func (c *modelsVerifyCmd) Run() error {
	st, err := models.Verify(c.dir(), c.Profile)
	if err != nil {
		return err
	}
	if err := models.WriteStatus(os.Stdout, st, c.JSON); err != nil {
		return err
	}
	for _, s := range st {
		if s.State != "ok" {
			return exitError{code: 3, msg: "not all models are in place; run `proofline models fetch`"}
		}
	}
	return nil
}
