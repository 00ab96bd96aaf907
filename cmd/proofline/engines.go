package main

import (
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/mrz/reader"
	"github.com/proofline/proofline/pipeline"
)

// openModels opens the configured model set; a file that does not match the
// manifest is an error here, not at first use.
func (e engineSettings) openModels() (*models.Set, error) {
	return models.Open(e.modelsDir(), e.Models.Profile)
}

func (e engineSettings) openReader(clients int) (*reader.Reader, error) {
	return reader.New(reader.Options{Clients: clients})
}

func (e engineSettings) openEngines(concurrency int) (*pipeline.Engines, error) {
	return pipeline.OpenEngines(pipeline.EnginesConfig{ModelsDir: e.modelsDir(), Profile: e.Models.Profile, Concurrency: concurrency})
}
