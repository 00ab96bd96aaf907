package specimen

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strings"
)

// sheet is one side being composed.
type sheet struct {
	*canvas
	id       Identity
	st       *state
	portrait *image.RGBA
	seed     int64
	ghost    bool
	lines    []string
}

func color2(v uint32) *image.Uniform { return image.NewUniform(rgb(v)) }

// passport composes the data page of 9303-4: header, portrait on the left,
// data on the right, machine readable zone at the foot.
func (s *sheet) passport() {
	s.paper(s.st, s.seed, s.truth.Side)
	s.rosette(s.st.Accent, 0.20, 97, 36, 21, 9, 3)
	s.zoneBand()
	s.box(faded(s.st.Tint, 0.30), 0, 0, s.w, 10.4)
	s.box(s.st.Ink, 0, 10.4, s.w, 0.25)
	s.emblem(s.st.Ink, 9.2, 5.3, 4.3)
	s.text(s.types.bold, 3.3, 15.6, 4.7, s.st.Ink, s.st.Country)
	s.text(s.types.medium, 2.3, 15.6, 8.3, s.st.Ink, s.st.Pays)
	s.right(s.types.bold, 3.3, s.w-5, 4.7, "PASSPORT")
	s.right(s.types.medium, 2.3, s.w-5, 8.3, "PASSEPORT")

	s.portraitAt(5.5, 15.2, 35, 45)
	const x, room = 45.0, 60.0
	y := 14.2
	s.labelled("document_code", "Type/Type", s.id.DocumentCode, s.id.DocumentCode, x, y, 12)
	s.labelled("issuing_state", "Code of issuing State/Code de l’État", s.id.State, s.id.State, x+14, y, 33)
	s.labelled("document_number", "Passport No./N° du passeport", s.id.DocumentNumber, s.id.DocumentNumber, x+49, y, 27)
	y += 7.0
	s.labelled("surname", "Surname/Nom", s.id.Surname, s.id.Surname, x, y, room)
	y += 7.0
	s.labelled("given_names", "Given names/Prénoms", s.id.GivenNames, s.id.GivenNames, x, y, room)
	y += 7.0
	s.labelled("nationality", "Nationality/Nationalité", strings.ToUpper(s.st.Name), s.id.Nationality, x, y, 32)
	s.labelled("personal_number", "Personal No./N° personnel", s.id.PersonalNumber, s.id.PersonalNumber, x+36, y, 40)
	y += 7.0
	s.date("birth_date", "Date of birth/Date de naissance", s.id.BirthDate, x, y, 33)
	s.labelled("sex", "Sex/Sexe", s.id.Sex, s.id.Sex, x+36, y, 10)
	s.labelled("place_of_birth", "Place of birth/Lieu de naissance", s.id.BirthPlace, s.id.BirthPlace, x+49, y, 28)
	y += 7.0
	s.date("issue_date", "Date of issue/Date de délivrance", s.id.IssueDate, x, y, 33)
	s.labelled("authority", "Authority/Autorité", s.id.Authority, s.id.Authority, x+36, y, 40)
	y += 7.0
	s.date("expiry_date", "Date of expiry/Date d’expiration", s.id.ExpiryDate, x, y, 33)
	s.signature(x+36, y-1.2, 26, "Holder’s signature/Signature du titulaire")
	if s.ghost {
		s.ghostAt(107.5, 20.3, 12.6, 16.2)
	}
	s.specimenMark(5.5, 63.4)
	s.machineZone(s.lines, 6.0)
}

// cardFront and cardBack compose the ID-1 card of 9303-5.
func (s *sheet) cardFront() {
	s.paper(s.st, s.seed, s.truth.Side)
	s.rosette(s.st.Accent, 0.22, 70, 36, 15, 8, 3)
	s.box(faded(s.st.Tint, 0.34), 0, 0, s.w, 9.2)
	s.box(s.st.Ink, 0, 9.2, s.w, 0.22)
	s.emblem(s.st.Ink, 6.6, 4.6, 3.7)
	s.text(s.types.bold, 2.7, 12, 4.1, s.st.Ink, s.st.Country)
	s.text(s.types.medium, 1.95, 12, 7.3, s.st.Ink, s.st.Pays)
	s.right(s.types.bold, 2.5, s.w-3.5, 4.1, "IDENTITY CARD")
	s.right(s.types.medium, 1.95, s.w-3.5, 7.3, "CARTE D’IDENTITÉ")
	s.portraitAt(4, 12.2, 26, 33.4)
	const x = 33.2
	y := 12.6
	s.labelled("surname", "Surname/Nom", s.id.Surname, s.id.Surname, x, y, 48)
	y += 6.5
	s.labelled("given_names", "Given names/Prénoms", s.id.GivenNames, s.id.GivenNames, x, y, 48)
	y += 6.5
	s.date("birth_date", "Date of birth/Date de naissance", s.id.BirthDate, x, y, 28)
	s.labelled("sex", "Sex/Sexe", s.id.Sex, s.id.Sex, x+31, y, 8)
	s.labelled("nationality", "Nat./Nat.", s.id.Nationality, s.id.Nationality, x+41, y, 9)
	y += 6.5
	s.labelled("document_number", "Card No./N° de la carte", s.id.DocumentNumber, s.id.DocumentNumber, x, y, 28)
	y += 6.5
	s.date("expiry_date", "Date of expiry/Date d’expiration", s.id.ExpiryDate, x, y, 28)
	s.signature(x, y+5.0, 21, "Holder’s signature/Signature")
	if s.ghost {
		s.ghostAt(70.5, 34.5, 11.4, 14.7)
	}
	s.specimenMark(4, 49.8)
}

func (s *sheet) cardBack() {
	s.paper(s.st, s.seed, s.truth.Side)
	s.rosette(s.st.Accent, 0.18, 71, 15, 11, 8, 3)
	s.zoneBand()
	const x = 5.0
	y := 4.6
	s.labelled("place_of_birth", "Place of birth/Lieu de naissance", s.id.BirthPlace, s.id.BirthPlace, x, y, 36)
	s.labelled("height", "Height/Taille", fmt.Sprintf("%d CM", s.id.HeightCM), fmt.Sprint(s.id.HeightCM), x+40, y, 14)
	y += 6.6
	s.labelled("address", "Address/Adresse", s.id.Address, s.id.Address, x, y, 58)
	y += 6.6
	s.date("issue_date", "Date of issue/Date de délivrance", s.id.IssueDate, x, y, 28)
	s.labelled("authority", "Authority/Autorité", s.id.Authority, s.id.Authority, x+32, y, 27)
	y += 6.6
	s.labelled("personal_number", "Personal No./N° personnel", s.id.PersonalNumber, s.id.PersonalNumber, x, y, 28)
	s.specimenMark(s.w-19, 28.6)
	s.emblem(faded(s.st.Ink, 0.5), 71, 15, 6)
	s.machineZone(s.lines, 4.7)
}

// largeCard composes the ID-2 card of 9303-6.
func (s *sheet) largeCard() {
	s.paper(s.st, s.seed, s.truth.Side)
	s.rosette(s.st.Accent, 0.2, 84, 30, 17, 10, 3)
	s.zoneBand()
	s.box(faded(s.st.Tint, 0.32), 0, 0, s.w, 9.4)
	s.box(s.st.Ink, 0, 9.4, s.w, 0.22)
	s.emblem(s.st.Ink, 7.2, 4.7, 3.8)
	s.text(s.types.bold, 2.8, 12.6, 4.2, s.st.Ink, s.st.Country)
	s.text(s.types.medium, 2.0, 12.6, 7.5, s.st.Ink, s.st.Pays)
	s.right(s.types.bold, 2.8, s.w-4, 4.2, "IDENTITY CARD")
	s.right(s.types.medium, 2.0, s.w-4, 7.5, "CARTE D’IDENTITÉ")
	s.portraitAt(4.5, 12.2, 26.5, 34)
	const x = 35.0
	y := 12.2
	s.labelled("document_number", "Card No./N° de la carte", s.id.DocumentNumber, s.id.DocumentNumber, x, y, 30)
	s.labelled("nationality", "Nationality/Nationalité", strings.ToUpper(s.st.Name), s.id.Nationality, x+34, y, 30)
	y += 6.6
	s.labelled("surname", "Surname/Nom", s.id.Surname, s.id.Surname, x, y, 64)
	y += 6.6
	s.labelled("given_names", "Given names/Prénoms", s.id.GivenNames, s.id.GivenNames, x, y, 64)
	y += 6.6
	s.date("birth_date", "Date of birth/Date de naissance", s.id.BirthDate, x, y, 30)
	s.labelled("sex", "Sex/Sexe", s.id.Sex, s.id.Sex, x+34, y, 10)
	s.labelled("place_of_birth", "Place of birth/Lieu de naissance", s.id.BirthPlace, s.id.BirthPlace, x+44, y, 22)
	y += 6.6
	s.date("issue_date", "Date of issue/Date de délivrance", s.id.IssueDate, x, y, 30)
	s.signature(x+34, y-1.2, 20, "Signature/Signature")
	y += 6.0
	s.date("expiry_date", "Date of expiry/Date d’expiration", s.id.ExpiryDate, x, y, 30)
	if s.ghost {
		s.ghostAt(91, 36.4, 10.0, 12.8)
	}
	s.specimenMark(4.5, 49.4)
	s.machineZone(s.lines, 6.0)
}

func (s *sheet) labelled(name, label, text, value string, x, y, room float64) {
	s.field(s.st, name, label, text, value, x, y, room)
}

func (s *sheet) date(name, label, iso string, x, y, room float64) {
	s.field(s.st, name, label, s.st.Month.printed(iso), iso, x, y, room)
}

func (s *sheet) portraitAt(x, y, w, h float64) {
	r := s.picture(s.portrait, x, y, w, h)
	s.truth.Portrait = &r
	for _, edge := range [][4]float64{{x, y, w, 0.12}, {x, y + h - 0.12, w, 0.12}, {x, y, 0.12, h}, {x + w - 0.12, y, 0.12, h}} {
		s.box(faded(s.st.Ink, 0.5), edge[0], edge[1], edge[2], edge[3])
	}
	// Lines that run from the paper over the picture's edge make replacing
	// it visible (9303-2 §5.5.2); here they only look the part.
	for i := range 5 {
		var points [][2]float64
		for j := 0; j <= 30; j++ {
			t := float64(j) / 30
			points = append(points, [2]float64{x + w - 4 + 8*t, y + h*0.62 + float64(i)*1.5 + 1.6*math.Sin(t*5+float64(i)*0.4)})
		}
		s.stroke(faded(s.st.Accent, 0.45), 0.12, points)
	}
}

// ghostAt prints the second, pale portrait in the ink of the state.
func (s *sheet) ghostAt(x, y, w, h float64) {
	src := s.portrait
	tinted := image.NewRGBA(src.Bounds())
	b := src.Bounds()
	for py := b.Min.Y; py < b.Max.Y; py++ {
		for px := b.Min.X; px < b.Max.X; px++ {
			p := src.RGBAAt(px, py)
			dark := 1 - (0.299*float64(p.R)+0.587*float64(p.G)+0.114*float64(p.B))/255
			u, v := float64(px)/float64(b.Dx())*2-1, float64(py)/float64(b.Dy())*2-1
			edge := math.Min(1, math.Max(0, (1-math.Max(math.Abs(u), math.Abs(v)))*5))
			tinted.SetRGBA(px, py, faded(s.st.Ink, math.Min(1, dark*1.15)*0.55*edge))
		}
	}
	r := s.picture(tinted, x, y, w, h)
	s.truth.Ghost = &r
}

// specimenMark says what this is, beside the data rather than over them: a
// large overprint would make reading the document harder than a real one.
func (s *sheet) specimenMark(x, y float64) {
	s.text(s.types.bold, 2.2, x, y, color.RGBA{0xa6, 0x1c, 0x2e, 255}, "SPECIMEN")
}

// signature draws a loopy line that differs from seed to seed.
func (s *sheet) signature(x, y, w float64, label string) {
	s.fitted(s.types.regular, 1.5, x, y+1.2, w+8, s.st.Ink, label)
	r := stream(s.seed, "signature")
	a, b, c := between(r, 2.2, 3.6), between(r, 0.5, 0.9), between(r, 0, 6)
	var points [][2]float64
	const steps = 220
	for i := 0; i <= steps; i++ {
		t := float64(i) / steps
		env := 0.35 + 0.65*math.Exp(-3*t)*(1+0.6*math.Sin(9*t+c))
		px := x + 1 + (w-3)*t + 0.9*math.Sin(a*8*t+c)
		py := y + 3.6 - 1.5*env*math.Sin(a*10*t+c) - b*math.Sin(31*t)*0.4 - t*0.6
		points = append(points, [2]float64{px, py})
	}
	s.stroke(faded(rgb(0x16224d), 0.9), 0.22, points)
}
