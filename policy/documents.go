package policy

import (
	"fmt"
	"slices"
	"strings"
)

// DocumentTypes are the kinds of document that a session can be for. This is the
// one list: tests hold the API's description, the command line and the capture
// page against it.
var DocumentTypes = []string{"passport", "id_card", "residence_permit", "driving_licence"}

// Accepted are the names by which a cell's Documents can name what it accepts,
// besides DocumentTypes: layouts of machine-readable zones, document types of a
// zone (ICAO 9303-4, -5 and -7 on the document code), and classes, which tell
// size and side. A test in package pipeline holds them against their sources.
var Accepted = []string{
	"TD1", "TD2", "TD3", "MRVA", "MRVB", "FRENCH_NATIONAL_ID", "FRENCH_DRIVING_LICENSE", "SWISS_DRIVING_LICENSE",
	"identity_card", "visa", "crew_certificate", "other",
	"passport_page", "id1_front", "id1_back", "id1", "id2", "a4_page",
}

// documentNames are what hints call the document types.
var documentNames = map[string]string{
	"passport": "passport", "id_card": "identity card", "residence_permit": "residence permit", "driving_licence": "driving licence",
}

// hintText fills in the document that a reason speaks of.
func hintText(text, documentType string) string {
	return strings.ReplaceAll(text, "{document}", documentNames[documentType])
}

// Accepts reports whether a document of the type can be one that the cell's
// Documents name. Layouts and classes leave open which of several types it is.
func (c Cell) Accepts(documentType string) bool {
	if len(c.Documents) == 0 || slices.Contains(c.Documents, documentType) {
		return true
	}
	return slices.ContainsFunc(c.Documents, func(d string) bool { return slices.Contains(typesOf[d], documentType) })
}

// typesOf are the document types that a name in Accepted can stand for.
var typesOf = map[string][]string{
	"TD1": cards, "TD2": cards, "TD3": {"passport"}, "FRENCH_NATIONAL_ID": {"id_card"},
	"FRENCH_DRIVING_LICENSE": {"driving_licence"}, "SWISS_DRIVING_LICENSE": {"driving_licence"},
	"identity_card": {"id_card", "residence_permit"}, "other": DocumentTypes, "passport_page": {"passport"},
	"id1": cards, "id1_front": cards, "id1_back": cards, "id2": cards,
}

var cards = []string{"id_card", "residence_permit", "driving_licence"}

// validateDocuments refuses names that no document ever has: a misspelt one
// would turn everybody away.
func (c Cell) validateDocuments(where string) error {
	for _, d := range c.Documents {
		if !slices.Contains(DocumentTypes, d) && !slices.Contains(Accepted, d) {
			return fmt.Errorf("%s: documents: unknown %q; known: %s", where, d, strings.Join(slices.Concat(DocumentTypes, Accepted), ", "))
		}
	}
	if t := c.Match.DocumentType; t != "" && t != "*" && !slices.Contains(DocumentTypes, t) {
		return fmt.Errorf("%s: match: unknown document %q; known: %s", where, t, strings.Join(DocumentTypes, ", "))
	}
	return nil
}
