package specimen

import (
	"fmt"
	"hash/fnv"
	"image/color"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/proofline/proofline/mrz"
)

// Identity is the invented holder and the document's own data. Names are as
// printed, with diacritics; dates are ISO 8601.
type Identity struct {
	DocumentCode   string `json:"document_code"`
	State          string `json:"state"`
	Nationality    string `json:"nationality"`
	Surname        string `json:"surname"`
	GivenNames     string `json:"given_names"`
	Sex            string `json:"sex"` // F or M
	BirthDate      string `json:"birth_date"`
	BirthPlace     string `json:"place_of_birth"`
	DocumentNumber string `json:"document_number"`
	PersonalNumber string `json:"personal_number"`
	IssueDate      string `json:"issue_date"`
	ExpiryDate     string `json:"expiry_date"`
	Authority      string `json:"authority"`
	Address        string `json:"address,omitempty"`
	HeightCM       int    `json:"height_cm,omitempty"`
}

// stream is the random source of one aspect of a seed. Aspects do not share a
// source, so that drawing one more line does not change anyone's name.
func stream(seed int64, aspect string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(aspect))
	return rand.New(rand.NewPCG(uint64(seed), h.Sum64()))
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

func between(r *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

// state is an issuing state and the look of its documents.
type state struct {
	Code, Name, French string
	Country, Pays      string // "Republic of …"
	Ink, Tint, Accent  color.RGBA
	Paper              [2]color.RGBA // from left to right
	Month              dateStyle
	Places             []string
	Authorities        []string
}

type dateStyle int

const (
	bilingual dateStyle = iota // 12 AUG/AOÛT 1974, the form of 9303-3 §3.8
	dotted                     // 12.08.1974
	spaced                     // 12 08 1974
)

// states are Utopia, which Doc 9303-3 §5 reserves for specimens, and invented
// ones under codes from QMA-QZZ and ZZA-ZZZ, which ISO 3166-1 never assigns.
var states = []state{
	{
		Code: "UTO", Name: "Utopia", French: "Utopie", Country: "REPUBLIC OF UTOPIA", Pays: "RÉPUBLIQUE D’UTOPIE",
		Ink: rgb(0x1c2f5a), Tint: rgb(0x5b86b8), Accent: rgb(0xb5577a),
		Paper:  [2]color.RGBA{rgb(0xe9f0f6), rgb(0xf6e9ec)},
		Places: []string{"ZENITH", "AMAUROT", "ANYDER", "PORT-HYTHLODAY", "SAINT-MORE"}, Authorities: []string{"PASSPORT OFFICE AMAUROT", "PASSPORT OFFICE ZENITH"},
	},
	{
		Code: "QMV", Name: "Marevia", French: "Marévie", Country: "KINGDOM OF MAREVIA", Pays: "ROYAUME DE MARÉVIE",
		Ink: rgb(0x15473f), Tint: rgb(0x4f9c86), Accent: rgb(0xc08a3e),
		Paper: [2]color.RGBA{rgb(0xe7f3ee), rgb(0xf7f1e0)}, Month: dotted,
		Places: []string{"SØHAVN", "KÖNIGSTRAND", "VILA DO SAL", "MARÉ"}, Authorities: []string{"MINISTRY OF THE INTERIOR", "CIVIL REGISTRY SØHAVN"},
	},
	{
		Code: "ZZN", Name: "Nordhavn", French: "Nordhavn", Country: "FREE CITY OF NORDHAVN", Pays: "VILLE LIBRE DE NORDHAVN",
		Ink: rgb(0x4a1f33), Tint: rgb(0xa86f8c), Accent: rgb(0x4d7fa8),
		Paper: [2]color.RGBA{rgb(0xf6ebf0), rgb(0xe8eef5)}, Month: spaced,
		Places: []string{"NORDHAVN", "ÆGIRSTAD", "LJÓSVÍK"}, Authorities: []string{"SENATE OF NORDHAVN"},
	},
}

func rgb(v uint32) color.RGBA { return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255} }

func chooseState(seed int64, code string) (*state, error) {
	switch code {
	case "":
		return &states[0], nil
	case "*":
		return &states[stream(seed, "state").IntN(len(states))], nil
	}
	for i := range states {
		if states[i].Code == code {
			return &states[i], nil
		}
	}
	return nil, fmt.Errorf("draw specimen: no test state %q; there are UTO, QMV and ZZN", code)
}

// Names are common ones put together at random; the diacritics exercise the
// transliteration of Doc 9303-3 §6.
var (
	surnames = []string{
		"ERIKSSON", "ÆGISDÓTTIR", "MÜLLER-LÜDENSCHEID", "SØRENSEN", "NOVÁKOVÁ", "GARCÍA MUÑOZ", "ŁUKASIEWICZ", "DVOŘÁK",
		"O’BRIEN", "ŞAHİN", "LEFÈVRE", "VAN DER BERG", "ÅKERLUND", "GROß", "ÇELIK", "HORVÁT", "ŽIVKOVIĆ", "D’ALEMBERT",
		"ÞORSTEINSDÓTTIR", "KÄMÄRÄINEN", "SANTOS", "QUIÑONES", "BJÖRKQVIST", "VÁSÁRHELYI",
	}
	givenFemale = []string{
		"ANNA MARIA", "INÊS", "ZOË", "ÅSA", "MAŁGORZATA", "ÞÓRA", "BEATRIX ELISE", "ELENA", "NOÉMI", "JÚLIA", "FRANÇOISE", "SINÉAD", "KATEŘINA", "LUCÍA",
	}
	givenMale = []string{
		"ERIK JONAS", "JOSÉ", "ŁUKASZ", "BJØRN", "TOMÁŠ", "ÓSCAR", "JÜRGEN", "ANDRÉ LUC", "ÞORVALDUR", "MATTHIAS", "RÓBERT", "SEÁN",
	}
	streets = []string{"12 HARBOUR ROW", "7 LINDEN WALK", "48 MERIDIAN STREET", "3 OBSERVATORY HILL", "115 CANAL SIDE"}
)

func inventIdentity(seed int64, o Options, st *state, p *Person) Identity {
	r := stream(seed, "identity")
	id := Identity{DocumentCode: documentCode(o.Format), State: st.Code, Nationality: st.Code, Surname: pick(r, surnames), Sex: pick(r, []string{"F", "M"})}
	if p != nil {
		id.Sex = p.Sex
	}
	id.GivenNames = pick(r, givenFemale)
	if id.Sex == "M" {
		id.GivenNames = pick(r, givenMale)
	}
	day := func(years float64) time.Time { return o.Reference.AddDate(0, 0, -int(years*365.25)) }
	birth := day(between(r, 22, 44))
	issue := day(between(r, 0.2, 2.8))
	years := 10
	if o.Format == MRVA || o.Format == MRVB {
		// A visa is short-lived; long enough here that specimens age well.
		years = 8
	}
	if o.Expired {
		issue = issue.AddDate(-years-3, 0, 0)
	}
	expiry := issue.AddDate(years, 0, -1)
	id.BirthDate, id.IssueDate, id.ExpiryDate = birth.Format(time.DateOnly), issue.Format(time.DateOnly), expiry.Format(time.DateOnly)
	id.BirthPlace, id.Authority = pick(r, st.Places), pick(r, st.Authorities)
	// The letters that OCR-B confuses with digits (O, I) are not used in
	// document numbers, as many issuers do.
	const letters = "ABCDEFGHKLMNPRSTUVWXYZ"
	id.DocumentNumber = string(letters[r.IntN(len(letters))]) + fmt.Sprintf("%08d", r.IntN(1e8))
	id.PersonalNumber = birth.Format("060102") + fmt.Sprintf("%04d", r.IntN(1e4))
	id.Address = pick(r, streets) + ", " + pick(r, st.Places)
	id.HeightCM = 155 + r.IntN(20)
	if id.Sex == "M" {
		id.HeightCM += 12
	}
	return id
}

func documentCode(f Format) string {
	switch f {
	case TD1, TD2:
		return "I"
	case MRVA, MRVB:
		return "V"
	case EULicence, NALicence:
		return "DL"
	}
	return "P"
}

// machineLines builds the machine readable zone of an identity.
func machineLines(f Format, id Identity) ([]string, error) {
	short := func(iso string) string { return strings.ReplaceAll(iso[2:], "-", "") }
	fields := mrz.Fields{
		DocumentCode: id.DocumentCode, IssuingState: id.State, Nationality: id.Nationality,
		Surname: transliterate(id.Surname), GivenNames: transliterate(id.GivenNames),
		DocumentNumber: id.DocumentNumber, BirthDate: short(id.BirthDate), Sex: id.Sex, ExpirationDate: short(id.ExpiryDate),
	}
	if f == TD3 || f == TD1 {
		fields.Optional1 = id.PersonalNumber
	}
	lines, err := mrz.Format(fields, mrz.Layout(f))
	if err != nil {
		return nil, fmt.Errorf("build the machine readable zone: %w", err)
	}
	return lines, nil
}

// transliterate writes a name in the letters of the zone (9303-3 §6.A).
// Apostrophes are left out and hyphens become fillers (9303-3 §4.6).
func transliterate(s string) string { return latin.Replace(s) }

var latin = strings.NewReplacer(
	"’", "", "-", " ", "Á", "A", "Ä", "AE", "Å", "AA", "Æ", "AE", "Ç", "C", "Ć", "C", "Ê", "E", "É", "E", "È", "E", "Ë", "E",
	"Í", "I", "İ", "I", "Ł", "L", "Ñ", "N", "Ó", "O", "Ö", "OE", "Ø", "OE", "Ř", "R", "Š", "S", "Ş", "S", "ß", "SS",
	"Ú", "U", "Ü", "UE", "Ý", "Y", "Ž", "Z", "Þ", "TH",
)

var months = [12]string{"JAN/JAN", "FEB/FÉV", "MAR/MARS", "APR/AVR", "MAY/MAI", "JUN/JUIN", "JUL/JUIL", "AUG/AOÛT", "SEP/SEPT", "OCT/OCT", "NOV/NOV", "DEC/DÉC"}

// printed writes an ISO date the way the state prints it.
func (s dateStyle) printed(iso string) string {
	t, err := time.Parse(time.DateOnly, iso)
	if err != nil {
		return iso
	}
	switch s {
	case dotted:
		return t.Format("02.01.2006")
	case spaced:
		return t.Format("02 01 2006")
	}
	return fmt.Sprintf("%02d %s %d", t.Day(), months[t.Month()-1], t.Year())
}
