package policy

import (
	"fmt"
	"slices"
)

// calibrate resolves the targets of every threshold. Without a calibration of
// its own a policy takes the one that ships for the default models.
func (p *Policy) calibrate() error {
	wanted := false
	for _, cell := range append([]Cell{p.Defaults}, p.Cells...) {
		for _, t := range cell.Thresholds {
			wanted = wanted || t.TargetFMR != nil
		}
	}
	for _, c := range p.Calibrations {
		if err := c.validate(); err != nil {
			return err
		}
	}
	if !wanted {
		return nil
	}
	if len(p.Calibrations) == 0 {
		b, err := ShippedCalibration("default")
		if err != nil {
			return err
		}
		c, err := ParseCalibration(b)
		if err != nil {
			return err
		}
		p.Calibrations = []Calibration{c}
	}
	if err := p.Defaults.calibrate("defaults", p.Calibrations); err != nil {
		return err
	}
	for i := range p.Cells {
		if err := p.Cells[i].calibrate(fmt.Sprintf("cells[%d]", i), p.Calibrations); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cell) calibrate(where string, known []Calibration) error {
	for name, t := range c.Thresholds {
		if t.TargetFMR == nil {
			continue
		}
		at := fmt.Sprintf("%s: threshold %s", where, name)
		if t.Min != nil || t.Max != nil {
			return fmt.Errorf("%s: give target_fmr or a bound, not both", at)
		}
		i := slices.IndexFunc(known, func(k Calibration) bool { return k.Measure == t.Measure })
		if i < 0 {
			return fmt.Errorf("%s: %w: there is none for %s", at, ErrCalibration, t.Measure)
		}
		bound, err := known[i].threshold(*t.TargetFMR)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		t.Min, t.calibration = &bound, &known[i]
		c.Thresholds[name] = t
	}
	return nil
}

// joinedRole is the role in which a finding names several networks that made its
// scores together. What is known of one of them says nothing about these scores.
const joinedRole = "face-embedding"

// foreign reports whether a finding's scores come from another model than the
// calibrated one: its bound says nothing about them.
func (t Threshold) foreign(f Finding) bool {
	if t.calibration == nil || len(f.Models) == 0 {
		return false
	}
	joined := slices.ContainsFunc(f.Models, func(m ModelRef) bool { return m.Role == joinedRole })
	return !slices.ContainsFunc(f.Models, func(m ModelRef) bool {
		return m.SHA256 == t.calibration.Model.SHA256 && (!joined || m.Role == joinedRole)
	})
}

// CalibrationRef names a calibration in a decision.
type CalibrationRef struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
}

// CalibrationRefs names what the policy's targets were resolved through.
func (p *Policy) CalibrationRefs() []CalibrationRef {
	var out []CalibrationRef
	for _, c := range p.Calibrations {
		out = append(out, CalibrationRef{c.Name, c.Version, c.Digest()})
	}
	return out
}
