package mrz

// Layout names the arrangement of fields in the lines.
type Layout string

// The layouts that Parse knows.
const (
	TD1                  Layout = "TD1"                    // 3 lines of 30: cards
	TD2                  Layout = "TD2"                    // 2 lines of 36: larger cards
	TD3                  Layout = "TD3"                    // 2 lines of 44: passports
	MRVA                 Layout = "MRVA"                   // 2 lines of 44: visas
	MRVB                 Layout = "MRVB"                   // 2 lines of 36: visas
	FrenchNationalID     Layout = "FRENCH_NATIONAL_ID"     // 2 lines of 36, issued 1987 to 2021
	FrenchDrivingLicense Layout = "FRENCH_DRIVING_LICENSE" // 1 line of 30
	SwissDrivingLicense  Layout = "SWISS_DRIVING_LICENSE"  // lines of 9, 30 and 30
)

// Document is one parsed machine-readable zone.
type Document struct {
	Format      Layout
	Lines       []string
	Fields      Fields
	Checks      Checks
	Interpreted Interpreted
	Errors      []*Error
	// Valid is true when every check digit that the format defines holds.
	// It says nothing about Errors: a date can be impossible and its check
	// digit still be right.
	Valid bool
}

// Fields holds the values as the zone prints them: dates as YYMMDD, sex as M,
// F, X or <, fillers at the end removed, fillers inside names and optional
// data as spaces, a document number that overflows into the optional data
// joined.
type Fields struct {
	DocumentCode       string
	IssuingState       string
	Surname            string
	GivenNames         string
	DocumentNumber     string
	Nationality        string
	BirthDate          string
	Sex                string
	ExpirationDate     string
	Optional1          string
	Optional2          string
	AdministrativeCode string
}

// Check is the outcome of one check digit.
type Check uint8

// A format without a digit for a field leaves its Check at NotDefined.
const (
	NotDefined Check = iota
	Failed
	Passed
)

// MarshalJSON writes true or false; an undefined check is left out by its
// owner's omitzero.
func (c Check) MarshalJSON() ([]byte, error) {
	if c == Passed {
		return []byte("true"), nil
	}
	return []byte("false"), nil
}

// Checks reports every check digit by itself.
type Checks struct {
	DocumentNumber Check `json:"documentNumber,omitzero"`
	BirthDate      Check `json:"birthDate,omitzero"`
	ExpirationDate Check `json:"expirationDate,omitzero"`
	PersonalNumber Check `json:"personalNumber,omitzero"`
	Composite      Check `json:"composite,omitzero"`
}

func (c Checks) allHold() bool {
	return c.DocumentNumber != Failed && c.BirthDate != Failed && c.ExpirationDate != Failed &&
		c.PersonalNumber != Failed && c.Composite != Failed
}

// Interpreted is what the fields mean, as far as they say it.
type Interpreted struct {
	// DocumentType is passport, identity_card, visa, crew_certificate,
	// driving_licence or other (9303-4, -5, -7 on the document code).
	DocumentType string `json:"documentType,omitempty"`
	// Dates are ISO 8601, shortened when parts are unknown ("1954-01"), empty
	// when nothing is known or the value is no date.
	BirthDate               string `json:"birthDate,omitempty"`
	BirthDatePrecision      string `json:"birthDatePrecision,omitempty"` // day, month, year, none
	BirthDateCentury        string `json:"birthDateCentury,omitempty"`   // the rule that chose the century
	ExpirationDate          string `json:"expirationDate,omitempty"`
	ExpirationDatePrecision string `json:"expirationDatePrecision,omitempty"`
	ExpirationDateCentury   string `json:"expirationDateCentury,omitempty"`
	Sex                     string `json:"sex,omitempty"` // male, female, unspecified
	IssuingStateName        string `json:"issuingStateName,omitempty"`
	NationalityName         string `json:"nationalityName,omitempty"`
	// NamesTruncated is true when the name field has no room left at its end,
	// which is the mark of a possibly shortened name (9303-4 §4.2.3, the
	// same in parts 5 to 7).
	NamesTruncated bool `json:"namesTruncated,omitempty"`
	// SingleName is true when the field holds no secondary identifier.
	SingleName         bool `json:"singleName,omitempty"`
	LongDocumentNumber bool `json:"longDocumentNumber,omitempty"`
}
