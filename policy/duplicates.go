package policy

import (
	"fmt"
	"slices"
	"time"
)

// Duplicates asks whether a case's document number or face was seen under other
// subjects of the same tenant. It is off unless a policy names it: it compares a
// person with strangers, which needs a reason and a legal basis of its own. What
// it finds leads to a person, never to a rejection.
type Duplicates struct {
	// DocumentNumber compares keyed hashes of the number, Face encrypted
	// templates of the selfie's face.
	DocumentNumber bool `yaml:"document_number" json:"document_number,omitempty"`
	Face           bool `yaml:"face" json:"face,omitempty"`
	// Window is how far back cases are compared, and Max with how many faces at
	// most, the newest: the chance that some stranger looks alike grows with
	// their number.
	Window Duration `yaml:"window" json:"window,omitempty"`
	Max    int      `yaml:"max" json:"max,omitempty"`
}

// MaxDuplicateFaces bounds Duplicates.Max; each is an object to decrypt.
const MaxDuplicateFaces = 2000

// duplicateCodes are found by comparing with others, where strangers look alike
// and numbers are misread.
var duplicateCodes = []Code{"compliance.duplicate_document", "compliance.duplicate_face", "compliance.velocity"}

func (c Cell) validateDuplicates(where string) error {
	for _, code := range duplicateCodes {
		if c.Actions[code] == Reject {
			return fmt.Errorf("%s: actions: %s can not reject: it compares a person with others and is wrong at times; let a person look", where, code)
		}
	}
	for name, t := range c.Thresholds {
		about := slices.Contains([]string{"duplicates.face.similarity", "duplicates.document_number.subjects", "duplicates.sessions_24h", "duplicates.document_number.sessions_24h"}, t.Measure)
		if about && c.action(t.Code) == Reject {
			return fmt.Errorf("%s: threshold %s: %s rejects; a duplicate can only ask for a person", where, name, t.Code)
		}
	}
	d := c.Duplicates
	if d == nil {
		return nil
	}
	if !d.DocumentNumber && !d.Face {
		return fmt.Errorf("%s: duplicates: name document_number, face or both", where)
	}
	if d.Window < Duration(time.Hour) || d.Window > Duration(400*24*time.Hour) {
		return fmt.Errorf("%s: duplicates: window must be 1h to 400d", where)
	}
	if d.Face && (d.Max < 1 || d.Max > MaxDuplicateFaces) {
		return fmt.Errorf("%s: duplicates: max must be 1 to %d faces", where, MaxDuplicateFaces)
	}
	return nil
}
