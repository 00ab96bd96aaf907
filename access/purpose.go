package access

import "slices"

// Purpose is why evidence is opened, as a code that the audit log can hold.
type Purpose struct {
	Code string
	What string
	// Words says that the code alone explains too little: a text goes with it.
	Words bool
}

// purposes is the list; the codes are stable.
var purposes = []Purpose{
	{"review", "decide a case in review", false},
	{"second_opinion", "look at a colleague's case", false},
	{"complaint", "answer a complaint or an appeal of the person", true},
	{"subject_access", "answer a person's request for their data (GDPR art. 15)", true},
	{"fraud_investigation", "investigate suspected fraud", true},
	{"legal_request", "answer a court or an authority", true},
	{"quality_check", "check the quality of decisions", false},
	{"other", "anything else", true},
}

// Purposes returns the list.
func Purposes() []Purpose { return slices.Clone(purposes) }

// FindPurpose looks a code up.
func FindPurpose(code string) (Purpose, bool) {
	i := slices.IndexFunc(purposes, func(p Purpose) bool { return p.Code == code })
	if i < 0 {
		return Purpose{}, false
	}
	return purposes[i], true
}
