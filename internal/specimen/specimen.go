// Package specimen draws specimen identity documents of states that do not
// exist, takes simulated photos of them, and stages selfies and presentation
// attacks to go with them. The demo, the tests and the benchmarks run on what
// it makes, so that no real document is ever needed.
//
// New draws a Specimen: its sides as images, and a Truth that says what is
// printed where. Photograph puts an image in front of a simulated camera and
// says where the document ended up. Stage builds a whole case (document photos
// and a selfie) of one of the four kinds the demo shows. Everything is a pure
// function of a seed and of the portrait files; nothing is random.
//
// Sizes and the machine readable zone follow ICAO Doc 9303 parts 3 to 7; the
// issuing states are Utopia, the specimen state of Doc 9303-3, and invented
// ones under codes that ISO 3166-1 leaves to users. Portraits are not in the
// repository: portraits.json names each source with its licence, and
// FetchPortraits installs them. Two pictures of one person are made from one
// source photo by light, pose-like warp, crop and noise; that is a simulation
// and says nothing about the error rate of a face matcher on real people.
package specimen

import (
	"fmt"
	"image"
	"math"
	"time"

	"github.com/proofline/proofline/photo"
)

// Format is one of the document sizes of ICAO Doc 9303.
type Format string

const (
	TD1  Format = "TD1"  // ID-1 card, three lines of 30 on the back (part 5)
	TD2  Format = "TD2"  // ID-2 card, two lines of 36 (part 6)
	TD3  Format = "TD3"  // passport data page, two lines of 44 (part 4)
	MRVA Format = "MRVA" // visa of passport page width, two lines of 44 (part 7)
	MRVB Format = "MRVB" // visa of ID-2 width, two lines of 36 (part 7)
)

// Formats lists all formats in the order in which Write cycles through them.
var Formats = []Format{TD3, TD1, TD2, MRVA, MRVB}

// SizeMM is the nominal width and height in millimetres.
func (f Format) SizeMM() (w, h float64) {
	switch f {
	case TD1, EULicence, NALicence:
		return 85.60, 53.98
	case TD2, MRVB:
		return 105, 74
	case MRVA:
		return 120, 80
	default:
		return 125, 88
	}
}

// Options chooses what New draws. The zero value is a passport of Utopia at
// 300 dpi with a drawn portrait.
type Options struct {
	Format    Format
	State     string     // issuing state; "" is UTO, "*" lets the seed choose
	Portraits *Portraits // nil: a drawn figure stands in for the portrait
	Person    string     // id of a person in Portraits; "" lets the seed choose
	DPI       float64    // 0 is 300
	NoGhost   bool       // leave out the small second portrait
	Expired   bool       // the date of expiry lies before Reference
	Reference time.Time  // "today" of the issuing office; zero is ReferenceDate
	Tamper    *Tamper    // nil: the zones agree
}

// ReferenceDate is the day from which dates of issue and expiry are counted
// when Options says nothing: a constant, so that a seed means the same
// document on every day. Documents issued then stay valid until 2032 or later.
var ReferenceDate = time.Date(2025, time.June, 1, 0, 0, 0, 0, time.UTC)

// Field is one printed entry of the visual zone.
type Field struct {
	Name   string     `json:"name"`   // surname, given_names, document_number, birth_date, …
	Label  string     `json:"label"`  // as printed, both languages
	Text   string     `json:"text"`   // as printed
	Value  string     `json:"value"`  // normalised: ISO date, F/M/X, otherwise Text
	Region photo.Rect `json:"region"` // of the text, in pixels of the side
}

// SideTruth says what is printed on one side and where, in its own pixels.
type SideTruth struct {
	Side     string      `json:"side"` // "front" or "back"
	Width    int         `json:"width"`
	Height   int         `json:"height"`
	PxPerMM  float64     `json:"px_per_mm"`
	Fields   []Field     `json:"fields"`
	Portrait *photo.Rect `json:"portrait,omitempty"`
	Ghost    *photo.Rect `json:"ghost,omitempty"`
	MRZ      *photo.Rect `json:"mrz,omitempty"` // tight around the printed lines
	Barcode  *photo.Rect `json:"barcode,omitempty"`
}

// Truth is everything a test may want to compare a reading with.
type Truth struct {
	Format    Format      `json:"format"`
	Person    string      `json:"person"` // id of the portrait; "" when drawn
	Identity  Identity    `json:"identity"`
	Lines     []string    `json:"lines"` // of the machine readable zone; none on driving licences
	MRZSide   string      `json:"mrz_side"`
	Payload   []byte      `json:"payload,omitempty"` // of the barcode
	Tamper    *Tamper     `json:"tamper,omitempty"`
	Sides     []SideTruth `json:"sides"`
	StateName string      `json:"state_name"`
}

// Side returns the truth of one side, nil when the document has no such side.
func (t *Truth) Side(name string) *SideTruth {
	for i := range t.Sides {
		if t.Sides[i].Side == name {
			return &t.Sides[i]
		}
	}
	return nil
}

// Specimen is one drawn document.
type Specimen struct {
	Seed  int64
	Truth Truth
	front *image.RGBA
	back  *image.RGBA
}

// Front is the side with the portrait.
func (s *Specimen) Front() *image.RGBA { return s.front }

// Back is the other side, nil for everything but cards of format TD1 and North
// American licences.
func (s *Specimen) Back() *image.RGBA { return s.back }

// MRZSide is the side that carries the machine readable zone.
func (s *Specimen) MRZSide() *image.RGBA {
	if s.Truth.MRZSide == "back" {
		return s.back
	}
	return s.front
}

// New draws the document that belongs to a seed. It fails when a font or the
// chosen portrait is not installed; the error says what to install.
func New(seed int64, o Options) (*Specimen, error) {
	if o.Format == "" {
		o.Format = TD3
	}
	if o.DPI == 0 {
		o.DPI = 300
	}
	if o.Reference.IsZero() {
		o.Reference = ReferenceDate
	}
	if o.DPI < 100 || o.DPI > 1200 {
		return nil, fmt.Errorf("draw specimen: %g dpi is outside 100 to 1200", o.DPI)
	}
	st, err := chooseState(seed, o.State)
	if err != nil {
		return nil, err
	}
	person, err := choosePerson(seed, o)
	if err != nil {
		return nil, err
	}
	id := inventIdentity(seed, o, st, person)
	printed, machine, coded, err := o.Tamper.apply(seed, o.Format, id)
	if err != nil {
		return nil, fmt.Errorf("draw specimen: %w", err)
	}
	s := &Specimen{Seed: seed, Truth: Truth{Format: o.Format, Identity: printed, StateName: st.Name, Tamper: o.Tamper}}
	if o.Format == NALicence {
		s.Truth.Payload = payload(coded)
	}
	if !o.Format.licence() {
		if s.Truth.Lines, err = machineLines(o.Format, machine); err != nil {
			return nil, fmt.Errorf("draw specimen: %w", err)
		}
	}
	if person != nil {
		s.Truth.Person = person.ID
	}
	if err := s.draw(o, st, person); err != nil {
		return nil, fmt.Errorf("draw specimen: %w", err)
	}
	return s, nil
}

func (s *Specimen) draw(o Options, st *state, p *Person) error {
	picture, err := idPortrait(s.Seed, p)
	if err != nil {
		return err
	}
	w, h := o.Format.SizeMM()
	front, err := newCanvas(w, h, o.DPI, "front")
	if err != nil {
		return err
	}
	sheet := &sheet{canvas: front, id: s.Truth.Identity, st: st, portrait: picture, seed: s.Seed, ghost: !o.NoGhost, lines: s.Truth.Lines}
	s.Truth.MRZSide = "front"
	switch o.Format {
	case TD1:
		sheet.cardFront()
		back, err := newCanvas(w, h, o.DPI, "back")
		if err != nil {
			return err
		}
		reverse := *sheet
		reverse.canvas = back
		reverse.cardBack()
		if back.err != nil {
			return back.err
		}
		front.roundCorners(3.18)
		back.roundCorners(3.18)
		s.back = back.img
		s.Truth.MRZSide = "back"
		s.Truth.Sides = []SideTruth{front.truth, back.truth}
	case TD2:
		sheet.largeCard()
		front.roundCorners(3.18)
	case MRVA, MRVB:
		sheet.visa(o.Format)
	case EULicence:
		s.Truth.MRZSide = ""
		sheet.euLicence()
		front.roundCorners(3.18)
	case NALicence:
		s.Truth.MRZSide = ""
		sheet.naLicence()
		back, err := newCanvas(w, h, o.DPI, "back")
		if err != nil {
			return err
		}
		reverse := *sheet
		reverse.canvas = back
		if err := reverse.licenceBack(s.Truth.Payload); err != nil {
			return err
		}
		if back.err != nil {
			return back.err
		}
		front.roundCorners(3.18)
		back.roundCorners(3.18)
		s.back = back.img
		s.Truth.Sides = []SideTruth{front.truth, back.truth}
	default:
		sheet.passport()
	}
	if front.err != nil {
		return front.err
	}
	s.front = front.img
	if s.Truth.Sides == nil {
		s.Truth.Sides = []SideTruth{front.truth}
	}
	return nil
}

func round(v float64) int { return int(math.Round(v)) }
