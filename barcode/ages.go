package barcode

import "time"

// ages are the elements that say when the holder comes of an age.
var ages = map[string]int{"DDH": 18, "DDI": 19, "DDJ": 21}

// checkAges holds the dates of the age thresholds against the date of birth: who
// alters one in the barcode may forget the others. Those born on 29 February come
// of age a day earlier or later, as the issuer has it.
func (l *Licence) checkAges() {
	iso, _ := Date(l.Elements["DBB"])
	birth, err := time.Parse(time.DateOnly, iso)
	if err != nil {
		return
	}
	for id, years := range ages {
		iso, _ := Date(l.Elements[id])
		day, err := time.Parse(time.DateOnly, iso)
		if err != nil {
			continue
		}
		if d := day.Sub(birth.AddDate(years, 0, 0)); d < -24*time.Hour || d > 24*time.Hour {
			l.odd(OddAge, id)
		}
	}
}
