package specimen

import (
	"fmt"
	"image/color"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/barcode"
	"github.com/proofline/proofline/photo"
)

// Driving licences. They have no machine readable zone: the European one says
// everything in numbered fields, the North American one repeats the front in a
// barcode on the back.
const (
	EULicence Format = "EU_LICENCE"    // ID-1, numbered fields 1 to 9 (Directive 2006/126/EC, annex I)
	NALicence Format = "AAMVA_LICENCE" // ID-1, PDF417 on the back (AAMVA DL/ID Card Design Standard)
)

// Licences lists the formats without a machine readable zone, and Layouts all.
var (
	Licences = []Format{EULicence, NALicence}
	Layouts  = append(slices.Clone(Formats), Licences...)
)

func (f Format) licence() bool { return f == EULicence || f == NALicence }

// numbered prints a field number and its value beside it, as licences do.
func (s *sheet) numbered(name, number, text, value string, x, y, room float64) photo.Rect {
	box := s.text(s.types.regular, 1.9, x, y, s.st.Ink, number)
	left := x + (box.W)/s.k + 1.1
	left = max(left, x+5.2)
	r := s.fitted(s.types.bold, 2.7, left, y, room-(left-x), rgb(0x15161c), text)
	if name != "" {
		s.truth.Fields = append(s.truth.Fields, Field{Name: name, Label: number, Text: text, Value: value, Region: r})
	}
	return r
}

func dots(iso string) string { return dotted.printed(iso) }

// euLicence composes the front of the European model.
func (s *sheet) euLicence() {
	s.paper(s.st, s.seed, s.truth.Side)
	s.rosette(s.st.Accent, 0.2, 66, 30, 15, 9, 3)
	s.box(faded(rgb(0x2247a8), 0.85), 3, 2.4, 9.5, 6.4)
	s.text(s.types.bold, 3.0, 4.2, 6.9, color.RGBA{255, 255, 255, 255}, s.st.Code)
	s.text(s.types.bold, 2.9, 15, 5.2, s.st.Ink, "DRIVING LICENCE")
	s.text(s.types.medium, 1.9, 15, 8.1, s.st.Ink, strings.ToUpper(s.st.Name))
	s.portraitAt(4, 14, 23.5, 30.2)
	const x, room = 30.5, 52.0
	y := 13.6
	s.numbered("surname", "1.", s.id.Surname, s.id.Surname, x, y, room)
	y += 4.4
	s.numbered("given_names", "2.", s.id.GivenNames, s.id.GivenNames, x, y, room)
	y += 4.4
	born := s.numbered("birth_date", "3.", dots(s.id.BirthDate), s.id.BirthDate, x, y, 24)
	r := s.fitted(s.types.bold, 2.7, (born.X+born.W)/s.k+2.2, y, 26, rgb(0x15161c), s.id.BirthPlace)
	s.truth.Fields = append(s.truth.Fields, Field{Name: "place_of_birth", Label: "3.", Text: s.id.BirthPlace, Value: s.id.BirthPlace, Region: r})
	y += 4.4
	s.numbered("issue_date", "4a.", dots(s.id.IssueDate), s.id.IssueDate, x, y, 24)
	s.numbered("authority", "4c.", s.id.Authority, s.id.Authority, x+25, y, 28)
	y += 4.4
	s.numbered("expiry_date", "4b.", dots(s.id.ExpiryDate), s.id.ExpiryDate, x, y, 24)
	s.numbered("personal_number", "4d.", s.id.PersonalNumber, s.id.PersonalNumber, x+25, y, 28)
	y += 4.4
	s.numbered("document_number", "5.", s.id.DocumentNumber, s.id.DocumentNumber, x, y, 40)
	y += 4.4
	s.numbered("", "7.", "", "", x, y, 8)
	s.signature(x+4, y-3.4, 22, "")
	y += 4.4
	s.numbered("address", "8.", s.id.Address, s.id.Address, x, y, room)
	y += 4.4
	s.numbered("", "9.", "AM/B1/B", "AM/B1/B", x, y, 30)
	if s.ghost {
		s.ghostAt(70.5, 31.6, 9, 11.6)
	}
	s.specimenMark(4, 49.4)
}

// American order, as cards of the USA print dates.
func slashed(iso string) string {
	t, err := time.Parse(time.DateOnly, iso)
	if err != nil {
		return iso
	}
	return t.Format("01/02/2006")
}

// naLicence composes the front of the North American model.
func (s *sheet) naLicence() {
	s.paper(s.st, s.seed, s.truth.Side)
	s.rosette(s.st.Accent, 0.2, 66, 30, 15, 9, 3)
	s.box(faded(s.st.Tint, 0.36), 0, 0, s.w, 8.8)
	s.box(s.st.Ink, 0, 8.8, s.w, 0.22)
	s.text(s.types.bold, 3.4, 4, 6.2, s.st.Ink, strings.ToUpper(s.st.Name))
	s.right(s.types.bold, 2.5, s.w-4, 4.2, "DRIVER LICENSE")
	s.right(s.types.medium, 1.9, s.w-4, 7.4, "SPECIMEN · NOT FOR USE")
	s.portraitAt(4, 11.6, 25, 32)
	const x, room = 32.0, 50.0
	y := 13.6
	s.numbered("document_number", "4d DLN", s.id.DocumentNumber, s.id.DocumentNumber, x, y, 32)
	s.numbered("", "9 CLASS", "C", "C", x+36, y, 14)
	y += 4.5
	s.numbered("birth_date", "3 DOB", slashed(s.id.BirthDate), s.id.BirthDate, x, y, 32)
	y += 4.5
	s.numbered("surname", "1 LN", s.id.Surname, s.id.Surname, x, y, room)
	y += 4.5
	s.numbered("given_names", "2 FN", s.id.GivenNames, s.id.GivenNames, x, y, room)
	y += 4.5
	s.numbered("address", "8 ADDRESS", s.id.Address, s.id.Address, x, y, room)
	y += 4.5
	s.numbered("issue_date", "4a ISS", slashed(s.id.IssueDate), s.id.IssueDate, x, y, 26)
	s.numbered("expiry_date", "4b EXP", slashed(s.id.ExpiryDate), s.id.ExpiryDate, x+27, y, 25)
	y += 4.5
	s.numbered("sex", "15 SEX", s.id.Sex, s.id.Sex, x, y, 12)
	s.numbered("", "16 HGT", fmt.Sprintf("%d cm", s.id.HeightCM), "", x+16, y, 20)
	s.numbered("", "18 EYES", "BRO", "", x+36, y, 16)
	s.signature(4, 45.2, 22, "")
	if s.ghost {
		s.ghostAt(71, 39.6, 9, 11.6)
	}
	s.specimenMark(33, 50.4)
}

// licenceBack carries the barcode of the North American model.
func (s *sheet) licenceBack(payload []byte) error {
	s.paper(s.st, s.seed, s.truth.Side)
	s.text(s.types.medium, 1.9, 5, 6, s.st.Ink, "CLASS: C  ANY NON-COMMERCIAL VEHICLE")
	s.text(s.types.medium, 1.9, 5, 9, s.st.Ink, "RESTRICTIONS: NONE   ENDORSEMENTS: NONE")
	img, err := barcode.EncodePDF417(payload, 4, 3)
	if err != nil {
		return err
	}
	// Narrowest bars of 0.22 mm; the standard allows 0.17 to 0.38 (annex D.3).
	w, h := float64(img.Rect.Dx())/3*0.22, float64(img.Rect.Dy())/3*0.22
	if k := min(76/w, 27/h); k < 1 {
		w, h = w*k, h*k
	}
	r := s.picture(img, (s.w-w)/2, 14, w, h)
	s.truth.Barcode = &r
	s.specimenMark(5, 50)
	return nil
}

// testIssuer is a number that AAMVA has not assigned.
const testIssuer = "636999"

// payload is the content of the barcode: elements of version 2020 of the
// standard, in the letters of ISO 8859-1 without diacritics, as issuers do.
func payload(id Identity) []byte {
	day := func(iso string) string { return strings.ReplaceAll(slashed(iso), "/", "") }
	street, city, _ := strings.Cut(id.Address, ", ")
	given := strings.Fields(transliterate(id.GivenNames))
	l := barcode.Licence{Issuer: testIssuer, Version: 10, Type: "DL", Elements: map[string]string{
		"DCA": "C", "DCB": "NONE", "DCD": "NONE", "DBA": day(id.ExpiryDate), "DCS": transliterate(id.Surname), "DAC": given[0],
		"DAD": strings.Join(given[1:], ","), "DBD": day(id.IssueDate), "DBB": day(id.BirthDate), "DBC": map[string]string{"M": "1", "F": "2"}[id.Sex],
		"DAY": "BRO", "DAU": fmt.Sprintf("%03d cm", id.HeightCM), "DAG": transliterate(street), "DAI": transliterate(city), "DAJ": id.State[:2], "DAK": "00000",
		"DAQ": id.DocumentNumber, "DCF": id.PersonalNumber, "DCG": id.State, "DDE": "N", "DDF": "N", "DDG": "N",
	}}
	return l.Format(strings.Fields("DCA DCB DCD DBA DCS DAC DAD DBD DBB DBC DAY DAU DAG DAI DAJ DAK DAQ DCF DCG DDE DDF DDG"))
}
