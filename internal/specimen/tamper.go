package specimen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Zone is a part of a document that says who the holder is.
type Zone string

// The zones that Tamper can alter.
const (
	Visual  Zone = "visual"
	Machine Zone = "mrz"
	Barcode Zone = "barcode"
)

// Tamper alters one field in one zone, as a forger does who changes what suits
// him: another name, one digit of a number, one part of a date, the other sex.
// Check digits are made to fit.
type Tamper struct {
	Zone  Zone   `json:"zone"`
	Field string `json:"field"`
}

// TamperFields are the fields that Tamper knows.
var TamperFields = []string{"surname", "given_names", "document_number", "birth_date", "expiry_date", "sex"}

// Zones are those of a format.
func (f Format) Zones() []Zone {
	switch f {
	case EULicence:
		return []Zone{Visual}
	case NALicence:
		return []Zone{Visual, Barcode}
	}
	return []Zone{Visual, Machine}
}

// apply returns the identity as each zone says it.
func (t *Tamper) apply(seed int64, f Format, id Identity) (visual, machine, coded Identity, err error) {
	visual, machine, coded = id, id, id
	if t == nil {
		return visual, machine, coded, nil
	}
	if !slices.Contains(f.Zones(), t.Zone) {
		return id, id, id, fmt.Errorf("%s has no zone %q", f, t.Zone)
	}
	target := map[Zone]*Identity{Visual: &visual, Machine: &machine, Barcode: &coded}[t.Zone]
	if err := alter(stream(seed, "tamper"), target, t.Field); err != nil {
		return id, id, id, err
	}
	return visual, machine, coded, nil
}

func alter(r *rand.Rand, id *Identity, field string) error {
	switch field {
	case "surname":
		id.Surname = another(r, surnames, id.Surname)
	case "given_names":
		names := givenFemale
		if id.Sex == "M" {
			names = givenMale
		}
		id.GivenNames = another(r, names, id.GivenNames)
	case "document_number":
		b := []byte(id.DocumentNumber)
		at := 1 + r.IntN(len(b)-1) // after the letter
		b[at] = '0' + (b[at]-'0'+1+byte(r.IntN(9)))%10
		id.DocumentNumber = string(b)
	case "birth_date":
		id.BirthDate = anotherDay(r, id.BirthDate)
	case "expiry_date":
		id.ExpiryDate = anotherDay(r, id.ExpiryDate)
	case "sex":
		id.Sex = map[string]string{"F": "M", "M": "F"}[id.Sex]
	default:
		return fmt.Errorf("tampering of field %q is not known; there are %v", field, TamperFields)
	}
	return nil
}

func another(r *rand.Rand, of []string, than string) string {
	for {
		if s := pick(r, of); s != than {
			return s
		}
	}
}

// anotherDay changes the year, the month or the day of a date.
func anotherDay(r *rand.Rand, iso string) string {
	t, err := time.Parse(time.DateOnly, iso)
	if err != nil {
		return iso
	}
	for {
		u := t
		switch r.IntN(3) {
		case 0:
			u = t.AddDate(pick(r, []int{-9, -5, -3, -2, -1, 1, 2, 3, 4}), 0, 0)
		case 1:
			u = t.AddDate(0, 1+r.IntN(11)-6, 0)
		case 2:
			u = t.AddDate(0, 0, 1+r.IntN(20)-10)
		}
		if s := u.Format(time.DateOnly); s != iso {
			return s
		}
	}
}
