package policy

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// CalibrationFormat is the version of the calibration file's layout.
const CalibrationFormat = 1

// Calibration is what is known of the scores of one measure by one model: the
// thresholds for target error rates and what a score is worth as evidence, with
// the data that they come from. `proofline eval face --calibration` writes one.
//
// A policy names a target ("target_fmr: 1e-3") instead of a bound; parsing
// resolves it through the calibration, which becomes part of the policy and of
// its hash, so that a decision can be made again exactly.
type Calibration struct {
	Format  int    `yaml:"format" json:"format"`
	Name    string `yaml:"name" json:"name"`
	Version string `yaml:"version" json:"version"`
	Measure string `yaml:"measure" json:"measure"`
	// Model made the scores. Those of another one mean something else.
	Model ModelRef        `yaml:"model" json:"model"`
	Data  CalibrationData `yaml:"data" json:"data"`
	// Points lists the operating points by target, the most lenient first.
	Points []OperatingPoint `yaml:"points" json:"points"`
	// Evidence gives the weight of a score by band of quality.
	Evidence []EvidenceBand `yaml:"evidence" json:"evidence,omitempty"`
}

// CalibrationData names the data and counts it.
type CalibrationData struct {
	Source   string `yaml:"source" json:"source"`
	People   int    `yaml:"people" json:"people"`
	Images   int    `yaml:"images" json:"images"`
	Genuine  int    `yaml:"genuine" json:"genuine"`   // comparisons of one person
	Impostor int    `yaml:"impostor" json:"impostor"` // comparisons of two
	// Pairs counts the different pairs of people among the impostor
	// comparisons: comparisons of the same two people are not independent.
	Pairs int    `yaml:"pairs" json:"pairs"`
	Note  string `yaml:"note" json:"note,omitempty"`
}

// OperatingPoint is the threshold for one target false match rate.
type OperatingPoint struct {
	TargetFMR      float64 `yaml:"target_fmr" json:"target_fmr"`
	Threshold      float64 `yaml:"threshold" json:"threshold"`
	FalseMatches   int     `yaml:"false_matches" json:"false_matches"`
	FalseNonMatch  int     `yaml:"false_non_matches" json:"false_non_matches"`
	FMR            float64 `yaml:"fmr" json:"fmr"`
	FMRInterval    Range95 `yaml:"fmr_95" json:"fmr_95"` // by resampling people
	FNMR           float64 `yaml:"fnmr" json:"fnmr"`
	FNMRInterval   Range95 `yaml:"fnmr_95" json:"fnmr_95"`
	ProvenFMRFloor float64 `yaml:"rule_of_3" json:"rule_of_3"` // 3 / Pairs
}

// Range95 is a 95 % interval.
type Range95 struct {
	Low  float64 `yaml:"low" json:"low"`
	High float64 `yaml:"high" json:"high"`
}

// EvidenceBand maps scores to log10 likelihood ratios for comparisons whose
// quality measure lies in [From, To). The empty measure takes all.
type EvidenceBand struct {
	Measure  string          `yaml:"measure" json:"measure,omitempty"`
	From     float64         `yaml:"from" json:"from"`
	To       float64         `yaml:"to" json:"to"`
	Genuine  int             `yaml:"genuine" json:"genuine"`
	Impostor int             `yaml:"impostor" json:"impostor"`
	Curve    []EvidencePoint `yaml:"curve" json:"curve"`
}

// EvidencePoint is one point of a rising curve between whose points is
// interpolated and beyond whose ends nothing is claimed.
type EvidencePoint struct {
	Score float64 `yaml:"score" json:"score"`
	LLR   float64 `yaml:"llr" json:"llr"`
}

// ErrCalibration is the cause of every refusal of a target that no calibration
// supports.
var ErrCalibration = errors.New("the calibration does not support the target")

//go:embed calibrations/*.json
var shipped embed.FS

// ShippedCalibration is the calibration that ships for a model profile
// ("default", "zoo"), or for the profile without the second face network
// ("default-one", "zoo-one").
func ShippedCalibration(profile string) ([]byte, error) {
	b, err := shipped.ReadFile("calibrations/face-" + profile + ".json")
	if err != nil {
		return nil, fmt.Errorf("no calibration ships for the model profile %q; measure one with `proofline eval face --calibration`", profile)
	}
	return b, nil
}

// ParseCalibration reads and checks a calibration file.
func ParseCalibration(b []byte) (Calibration, error) {
	var c Calibration
	if len(b) > MaxFileBytes {
		return c, fmt.Errorf("calibration is larger than %d bytes", MaxFileBytes)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("parse calibration: %w", err)
	}
	return c, c.validate()
}

// WithCalibration returns the policy's text with the calibration written into
// it, unless it has one or names no target: a text that means the same for ever.
func WithCalibration(text, calibration []byte) ([]byte, error) {
	if !bytes.Contains(text, []byte("target_fmr")) || bytes.HasPrefix(text, []byte("calibrations:")) || bytes.Contains(text, []byte("\ncalibrations:")) {
		return text, nil
	}
	c, err := ParseCalibration(calibration)
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(c) // JSON is YAML
	if err != nil {
		return nil, fmt.Errorf("write calibration: %w", err)
	}
	out := append(bytes.TrimRight(bytes.Clone(text), "\n"), "\ncalibrations:\n  - "...)
	return append(append(out, line...), '\n'), nil
}

// Digest is the SHA-256 of the calibration's content in hex.
func (c Calibration) Digest() string {
	b, err := json.Marshal(c)
	if err != nil { // no finite number refuses to be written, and validate has seen them
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (c Calibration) validate() error {
	where := fmt.Sprintf("calibration %s version %s", c.Name, c.Version)
	if c.Format != CalibrationFormat {
		return fmt.Errorf("%s: format %d, want %d", where, c.Format, CalibrationFormat)
	}
	if c.Name == "" || c.Version == "" || c.Measure == "" || c.Model.SHA256 == "" || c.Data.Source == "" {
		return fmt.Errorf("%s: name, version, measure, model and data.source are required", where)
	}
	if c.Data.Impostor <= 0 || c.Data.Genuine <= 0 || c.Data.Pairs <= 0 || c.Data.Pairs > c.Data.Impostor {
		return fmt.Errorf("%s: data must count its genuine and impostor comparisons and the pairs of people among them", where)
	}
	last := OperatingPoint{TargetFMR: 1, Threshold: math.Inf(-1)}
	for _, p := range c.Points {
		switch {
		case !(p.TargetFMR > 0 && p.TargetFMR < last.TargetFMR):
			return fmt.Errorf("%s: targets must fall from below 1 to above 0", where)
		case math.IsNaN(p.Threshold) || math.IsInf(p.Threshold, 0) || p.Threshold < last.Threshold:
			return fmt.Errorf("%s: thresholds must rise as targets fall", where)
		case p.FalseMatches < 0 || float64(p.FalseMatches) > p.TargetFMR*float64(c.Data.Impostor)+1e-6:
			return fmt.Errorf("%s: %d false matches of %d are more than the target %g", where, p.FalseMatches, c.Data.Impostor, p.TargetFMR)
		}
		last = p
	}
	for _, e := range c.Evidence {
		if len(e.Curve) < 2 || !slices.IsSortedFunc(e.Curve, func(a, b EvidencePoint) int {
			if a.Score < b.Score && a.LLR <= b.LLR {
				return -1
			}
			return 1
		}) {
			return fmt.Errorf("%s: an evidence curve needs two points or more that rise", where)
		}
	}
	return nil
}

// threshold is the bound for a target. A target that the data is too small for
// is refused: a threshold above every impostor seen proves nothing about one in
// a hundred thousand.
func (c Calibration) threshold(target float64) (float64, error) {
	var known []string
	for _, p := range c.Points {
		supported := p.TargetFMR*float64(c.Data.Pairs) >= 3
		if p.TargetFMR == target {
			if !supported {
				return 0, fmt.Errorf("%w: target_fmr %g needs %.0f pairs of different people (rule of 3), calibration %s has %d; measure more people or name a target of at least %.2g",
					ErrCalibration, target, math.Ceil(3/target), c.Name, c.Data.Pairs, 3/float64(c.Data.Pairs))
			}
			return p.Threshold, nil
		}
		if supported {
			known = append(known, fmt.Sprintf("%g", p.TargetFMR))
		}
	}
	return 0, fmt.Errorf("%w: calibration %s has no point for target_fmr %g; it has %s", ErrCalibration, c.Name, target, strings.Join(known, ", "))
}

// LLR is the base-10 logarithm of the likelihood ratio of a score: 2 means that
// it is a hundred times likelier between photos of one person than of two. ok is
// false where no band has the quality. Scores beyond what was observed count as
// the last that was.
func (c Calibration) LLR(score float64, measured func(name string) (float64, bool)) (llr float64, ok bool) {
	for _, e := range c.Evidence {
		if e.Measure != "" {
			if v, known := measured(e.Measure); !known || v < e.From || v >= e.To {
				continue
			}
		}
		return e.at(score), true
	}
	return 0, false
}

func (e EvidenceBand) at(score float64) float64 {
	k := e.Curve
	if score <= k[0].Score {
		return k[0].LLR
	}
	for i := 1; i < len(k); i++ {
		if score <= k[i].Score {
			f := (score - k[i-1].Score) / (k[i].Score - k[i-1].Score)
			return k[i-1].LLR + f*(k[i].LLR-k[i-1].LLR)
		}
	}
	return k[len(k)-1].LLR
}
