package mrz

import (
	"encoding/json"
	"errors"
)

// Record is the result of parsing one zone as one JSON object: the contract
// of `proofline mrz parse --jsonl`, described in docs/cli.md. Format is null
// when no layout fits.
type Record struct {
	ID          string            `json:"id"`
	Format      *Layout           `json:"format"`
	Valid       bool              `json:"valid"`
	Checks      Checks            `json:"checks"`
	Fields      map[string]string `json:"fields"`
	Interpreted Interpreted       `json:"interpreted"`
	Errors      []*Error          `json:"errors"`
}

// NewRecord parses lines and never fails: what is wrong is in Errors.
func NewRecord(id string, lines []string) Record {
	d, err := Parse(lines)
	if err != nil {
		r := Record{ID: id, Fields: map[string]string{}}
		var e *Error
		if !errors.As(err, &e) {
			e = &Error{Code: CodeField, Detail: err.Error()}
		}
		r.Errors = []*Error{e}
		return r
	}
	return d.Record(id)
}

// Record is d as the JSON contract has it.
func (d *Document) Record(id string) Record {
	r := Record{ID: id, Format: &d.Format, Valid: d.Valid, Checks: d.Checks, Fields: d.FieldMap(),
		Interpreted: d.Interpreted, Errors: d.Errors}
	if r.Errors == nil {
		r.Errors = []*Error{}
	}
	return r
}

// MarshalJSON keeps the field names stable in the order of the contract.
func (f Fields) MarshalJSON() ([]byte, error) { return json.Marshal(f.all()) }

func (f Fields) all() map[string]string {
	return map[string]string{
		"documentCode": f.DocumentCode, "issuingState": f.IssuingState, "surname": f.Surname, "givenNames": f.GivenNames,
		"documentNumber": f.DocumentNumber, "nationality": f.Nationality, "birthDate": f.BirthDate, "sex": f.Sex,
		"expirationDate": f.ExpirationDate, "optional1": f.Optional1, "optional2": f.Optional2, "administrativeCode": f.AdministrativeCode,
	}
}

// absent lists the fields that a layout does not print.
var absent = map[Layout][]string{
	TD1:                  {"administrativeCode"},
	TD2:                  {"optional2", "administrativeCode"},
	TD3:                  {"optional2", "administrativeCode"},
	MRVA:                 {"optional2", "administrativeCode"},
	MRVB:                 {"optional2", "administrativeCode"},
	FrenchNationalID:     {"nationality", "expirationDate", "optional1", "optional2"},
	FrenchDrivingLicense: {"givenNames", "nationality", "birthDate", "sex", "optional1", "optional2", "administrativeCode"},
	SwissDrivingLicense:  {"nationality", "sex", "expirationDate", "optional2", "administrativeCode"},
}

// FieldMap returns the fields that the layout prints, by their JSON names.
func (d *Document) FieldMap() map[string]string {
	m := d.Fields.all()
	for _, k := range absent[d.Format] {
		delete(m, k)
	}
	return m
}
