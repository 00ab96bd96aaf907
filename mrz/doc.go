// Package mrz parses, checks and builds machine-readable zones: the two or
// three OCR-B lines of passports, identity cards, visas and some driving
// licences (ICAO Doc 9303 parts 3 to 7 and common national variants).
//
// The types to know are Document, what Parse returns, and Fields, what Format
// takes. A Document is what the lines say, never what they should say: Parse
// corrects nothing. Valid means that every check digit the format defines
// holds; each one is also reported by itself in Checks, and everything odd
// about the content is in Errors with its line and column.
//
// Field positions come from Doc 9303 (eighth edition, 2021) parts 4 (TD3), 5
// (TD1) and 6 (TD2), §4.2 of each, and part 7 §§4.2 and 7.2 (MRV-A, MRV-B);
// check digits, dates, names and state codes from 9303-3 §§4-6. The package is
// pure Go and needs no image library; mrz/reader finds and reads the lines in
// a photo.
package mrz
