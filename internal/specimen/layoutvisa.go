package specimen

// visa composes the stickers of 9303-7.
func (s *sheet) visa(f Format) {
	s.paper(s.st, s.seed, s.truth.Side)
	s.rosette(s.st.Accent, 0.22, s.w*0.72, s.h*0.4, s.h*0.24, 11, 3)
	s.zoneBand()
	s.box(faded(s.st.Accent, 0.30), 0, 0, s.w, 9.4)
	s.box(s.st.Ink, 0, 9.4, s.w, 0.22)
	s.emblem(s.st.Ink, 7.2, 4.7, 3.8)
	s.text(s.types.bold, 2.9, 12.6, 4.2, s.st.Ink, s.st.Country)
	s.text(s.types.medium, 2.0, 12.6, 7.5, s.st.Ink, s.st.Pays)
	s.right(s.types.bold, 3.6, s.w-4, 6.4, "VISA")
	height := s.h - zoneMM - 14.6
	s.portraitAt(4.5, 12.0, height*0.78, height)
	x := 4.5 + height*0.78 + 4.5
	room := s.w - x - 4
	y, step := 12.2, 6.6
	if f == MRVA {
		step = 7.4
	}
	half := room*0.5 + 1
	s.labelled("document_number", "Visa No./N° du visa", s.id.DocumentNumber, s.id.DocumentNumber, x, y, half-3)
	s.labelled("visa_type", "Type/Type · Entries/Entrées", "C · MULTIPLE", "C", x+half, y, room-half)
	y += step
	s.labelled("surname", "Surname/Nom", s.id.Surname, s.id.Surname, x, y, room)
	y += step
	s.labelled("given_names", "Given names/Prénoms", s.id.GivenNames, s.id.GivenNames, x, y, room)
	y += step
	s.date("birth_date", "Date of birth/Date de naissance", s.id.BirthDate, x, y, half-3)
	s.labelled("sex", "Sex/Sexe", s.id.Sex, s.id.Sex, x+half, y, 10)
	s.labelled("nationality", "Nat./Nat.", s.id.Nationality, s.id.Nationality, x+half+11, y, 10)
	y += step
	s.date("issue_date", "Valid from/Valable du", s.id.IssueDate, x, y, half-3)
	s.date("expiry_date", "Until/Jusqu’au", s.id.ExpiryDate, x+half, y, room-half)
	if f == MRVA {
		s.labelled("authority", "Place of issue/Lieu de délivrance", s.id.Authority, s.id.Authority, x, y+step, room)
	}
	s.specimenMark(4.5, s.h-zoneMM+0.4)
	s.machineZone(s.lines, (s.w-float64(len(s.lines[0]))*pitchMM)/2)
}
