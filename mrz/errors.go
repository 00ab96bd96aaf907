package mrz

import "fmt"

// Code classifies an Error so that a caller can decide on it.
type Code string

// The codes. The first group makes Parse fail, the second is found in
// Document.Errors of a zone that was parsed.
const (
	CodeEmpty        Code = "empty"
	CodeTooManyLines Code = "too_many_lines"
	CodeTooLarge     Code = "too_large"
	CodeLineLength   Code = "line_length"
	CodeLowerCase    Code = "lower_case"
	CodeLookAlike    Code = "look_alike"
	CodeCharacter    Code = "character"

	CodeCheckDigit   Code = "check_digit"
	CodeDigits       Code = "digits_expected"
	CodeLetters      Code = "letters_expected"
	CodeDate         Code = "date"
	CodeSex          Code = "sex"
	CodeState        Code = "state"
	CodeDocumentCode Code = "document_code"
	CodeName         Code = "name"
	CodeSeparator    Code = "separator"
	CodeField        Code = "field"
)

// Error is one thing wrong with a zone. Line and Column count from 1; 0 means
// the zone or the line as a whole. The text never repeats field values, which
// are personal data.
type Error struct {
	Code   Code   `json:"code"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Field  string `json:"field,omitempty"`
	Detail string `json:"detail"`
}

func (e *Error) Error() string {
	switch {
	case e.Line > 0 && e.Column > 0:
		return fmt.Sprintf("mrz: line %d, column %d: %s", e.Line, e.Column, e.Detail)
	case e.Line > 0:
		return fmt.Sprintf("mrz: line %d: %s", e.Line, e.Detail)
	}
	return "mrz: " + e.Detail
}
