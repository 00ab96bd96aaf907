package pipeline

import (
	"slices"
	"strings"
	"testing"

	"github.com/proofline/proofline/document"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/mrz"
	"github.com/proofline/proofline/policy"
)

func TestADocumentOfAnotherKindThanTheSessionIsForIsNotApproved(t *testing.T) {
	zoneOf := func(format, kind, code string) *zone {
		return &zone{Format: format, DocumentType: kind, Valid: true, Lines: []string{code + "UTOERIKSSON<<ANNA"}}
	}
	shape := func(c document.Class) map[string]*straightened {
		return map[string]*straightened{"document_front": {document.Found{Class: c}}}
	}
	noZone := []policy.Finding{{Stage: "mrz", Assertions: []policy.Assertion{{Code: "document.mrz_not_found"}}}}
	for _, c := range []struct {
		what, wanted string
		accepted     []string
		zone         *zone
		shape        document.Class
		barcode      bool
		want         string
	}{
		{"a passport for a passport", "passport", nil, zoneOf("TD3", "passport", "P<"), document.PassportPage, false, ""},
		{"a passport for an identity card", "id_card", nil, zoneOf("TD3", "passport", "P<"), document.PassportPage, false, "document.type_not_expected id_card"},
		{"a passport for a driving licence", "driving_licence", nil, zoneOf("TD3", "passport", "P<"), document.ID1Front, false, "document.type_not_expected driving_licence"},
		{"an identity card for a passport", "passport", nil, zoneOf("TD1", "identity_card", "I<"), document.PassportPage, false, "document.type_not_expected passport"},
		{"an identity card for an identity card", "id_card", nil, zoneOf("TD1", "identity_card", "I<"), document.PassportPage, false, ""},
		{"a residence permit for a residence permit", "residence_permit", nil, zoneOf("TD1", "identity_card", "AR"), document.ID1Back, false, ""},
		{"a residence permit for an identity card", "id_card", nil, zoneOf("TD1", "identity_card", "AR"), document.ID1Back, false, "document.type_unconfirmed id_card"},
		{"a visa for a passport", "passport", nil, zoneOf("MRVA", "visa", "V<"), document.Visa, false, "document.type_not_expected passport"},
		{"a licence's barcode for a residence permit", "residence_permit", nil, nil, document.ID1Back, true, "document.type_not_expected residence_permit"},
		{"a licence's barcode for a licence", "driving_licence", nil, nil, document.ID1Back, true, ""},
		{"a card without a zone for a licence", "driving_licence", nil, nil, document.ID1Front, false, ""},
		{"a card without a zone for a passport", "passport", nil, nil, document.ID1Front, false, "document.type_not_expected passport"},
		{"the shape of a page for an identity card", "id_card", nil, nil, document.PassportPage, false, "document.type_unconfirmed id_card"},
		{"nothing recognised for an identity card", "id_card", nil, nil, document.Unknown, false, "document.type_unconfirmed id_card"},
		{"nothing asked", "", nil, nil, document.Unknown, false, ""},
		{"only passports are accepted", "", []string{"passport"}, zoneOf("TD1", "identity_card", "I<"), document.PassportPage, false, "document.type_not_allowed "},
		{"only data pages are accepted, and the shape is wrong", "", []string{"passport_page"}, zoneOf("TD3", "passport", "P<"), document.Visa, false, ""},
		{"accepted by its format", "", []string{"TD1"}, zoneOf("TD1", "identity_card", "I<"), document.ID1Back, false, ""},
		{"nothing recognised where only passports are accepted", "", []string{"passport"}, nil, document.Unknown, false, "document.type_unconfirmed "},
	} {
		r := sources(nil)
		if c.barcode {
			r.fields = []Field{{Name: "surname", Value: "X", Source: "barcode"}}
		}
		r.c.Context.DocumentType, r.cell.Documents = c.wanted, c.accepted
		r.zone, r.documents = c.zone, shape(c.shape)
		if c.zone == nil {
			r.findings = noZone
		}
		var f policy.Finding
		r.checkDocument(&f)
		var got []string
		for _, a := range f.Assertions {
			got = append(got, string(a.Code)+" "+a.Field)
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: got %q, want %q", c.what, s, c.want)
		}
	}
}

func TestTheGateNamesTheDocumentThatIsWanted(t *testing.T) {
	e := engines(t)
	photos := map[specimen.Format]map[string][]byte{}
	for _, f := range []specimen.Format{specimen.TD1, specimen.TD2, specimen.TD3} {
		photos[f] = staged(t, specimen.CaseGood, f).Files
	}
	passportsOnly, err := policy.Parse([]byte(strings.Replace(string(policy.DefaultYAML()), "\n  evidence:", "\n  documents: [passport]\n  evidence:", 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		wanted string
		rules  *policy.Policy
		format specimen.Format
		kind   string
		code   policy.Code
		text   string
	}{
		{"passport", policy.Default(), specimen.TD3, "document_front", "", ""},
		{"id_card", policy.Default(), specimen.TD1, "document_front", "", ""},
		{"id_card", policy.Default(), specimen.TD1, "document_back", "", ""},
		{"residence_permit", policy.Default(), specimen.TD2, "document_front", "", ""},
		{"id_card", policy.Default(), specimen.TD3, "document_front", "document.type_not_expected", "identity card"},
		{"driving_licence", policy.Default(), specimen.TD3, "document_front", "document.type_not_expected", "driving licence"},
		{"passport", policy.Default(), specimen.TD1, "document_front", "document.type_not_expected", "passport"},
		{"passport", policy.Default(), specimen.TD2, "document_front", "document.type_not_expected", "passport"},
		{"", passportsOnly, specimen.TD3, "document_front", "", ""},
		{"", passportsOnly, specimen.TD2, "document_front", "document.type_not_allowed", "not accepted"},
	} {
		file := photos[c.format][c.kind]
		if file == nil {
			t.Fatalf("%s has no %s", c.format, c.kind)
		}
		a, err := GateIn(ctx, e, c.rules.Cell(policy.Context{DocumentType: c.wanted}), c.kind, file)
		switch {
		case err != nil:
			t.Fatal(err)
		case c.code == "" && !a.Accepted:
			t.Errorf("%s for %q: refused for %v", c.format, c.wanted, a.Codes)
		case c.code != "" && (a.Accepted || !slices.Contains(a.Codes, c.code) || a.Hint == nil || !strings.Contains(a.Hint.Text, c.text) || strings.Contains(a.Hint.Text, "{")):
			t.Errorf("%s for %q: accepted %v, codes %v, hint %+v", c.format, c.wanted, a.Accepted, a.Codes, a.Hint)
		}
	}
}

// Before, the session was approved: nothing compared what it was for with what
// was photographed.
func TestAnIdentityCardSessionIsNotApprovedOnAPassport(t *testing.T) {
	e := engines(t)
	c := staged(t, specimen.CaseGood, specimen.TD3)
	rep, err := Verify(ctx, e, policy.Default(), Case{Documents: c.Files, Claims: c.Claims, AsOf: caseDay, Context: policy.Context{DocumentType: "id_card"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := rep.Decision
	if d.Outcome != policy.NeedsResubmission || !slices.Contains(d.Codes, "document.type_not_expected") || d.Hint == nil ||
		!strings.Contains(d.Hint.Text, "identity card") || !slices.Equal(d.Retake, []string{"document_front"}) {
		t.Errorf("outcome %s, codes %v, hint %+v, retake %v", d.Outcome, d.Codes, d.Hint, d.Retake)
	}
}

// The portrait on a document matches that document: without this the person need
// not be there.
func TestADocumentIsNoSelfie(t *testing.T) {
	e := engines(t)
	for _, f := range []specimen.Format{specimen.TD1, specimen.TD2, specimen.TD3} {
		c := staged(t, specimen.CaseGood, f)
		a, err := Gate(ctx, e, policy.Default(), "selfie", c.Files["document_front"])
		if err != nil {
			t.Fatal(err)
		}
		if a.Accepted || a.Hint == nil || a.Hint.Code != "capture.document_instead_of_face" {
			t.Errorf("%s as selfie: accepted %v, codes %v, hint %+v", f, a.Accepted, a.Codes, a.Hint)
		}
		if a, err = Gate(ctx, e, policy.Default(), "selfie", c.Files["selfie"]); err != nil || !a.Accepted {
			t.Errorf("a selfie: codes %v, %v", a.Codes, err)
		}
	}
}

func TestPoliciesCanNameEveryKindOfDocument(t *testing.T) {
	for _, n := range []mrz.Layout{mrz.TD1, mrz.TD2, mrz.TD3, mrz.MRVA, mrz.MRVB, mrz.FrenchNationalID, mrz.FrenchDrivingLicense, mrz.SwissDrivingLicense} {
		if !slices.Contains(policy.Accepted, string(n)) || len(classesOfFormat[string(n)]) == 0 {
			t.Errorf("format %s has no name in policies, or no class", n)
		}
	}
	for _, n := range []document.Class{document.PassportPage, document.ID1Front, document.ID1Back, document.ID1, document.ID2, document.Visa, document.A4Page} {
		if !slices.Contains(policy.Accepted, string(n)) {
			t.Errorf("class %s has no name in policies", n)
		}
	}
}

func TestWhoCanNotIssueADocumentOfAKindIsNotTakenForItsIssuer(t *testing.T) {
	for _, c := range []struct {
		what, issuer, nationality string
		zone                      zone
		want                      bool
	}{
		{"a state's passport", "FRA", "FRA", zone{Format: "TD3", DocumentType: "passport"}, false},
		{"a refugee's travel document", "FRA", "XXB", zone{Format: "TD3", DocumentType: "passport"}, false},
		{"a passport that refugees issue", "XXB", "XXB", zone{Format: "TD3", DocumentType: "passport"}, true},
		{"a laissez-passer of the United Nations", "UNO", "FRA", zone{Format: "TD3", DocumentType: "passport"}, false},
		{"an identity card of the United Nations", "UNO", "FRA", zone{Format: "TD1", DocumentType: "identity_card"}, true},
		{"a driving licence of the European Union", "EUE", "FRA", zone{Format: "SWISS_DRIVING_LICENSE", DocumentType: "driving_licence"}, true},
		{"an identity card", "FRA", "FRA", zone{Format: "TD1", DocumentType: "identity_card", Lines: []string{"I<FRA"}}, false},
		{"a residence permit", "FRA", "UTO", zone{Format: "TD1", DocumentType: "identity_card", Lines: []string{"IRFRA"}}, false},
		{"a residence permit of a national", "FRA", "FRA", zone{Format: "TD1", DocumentType: "identity_card", Lines: []string{"IRFRA"}}, true},
	} {
		for _, sure := range []bool{true, false} {
			confidence := 0.95
			if !sure {
				confidence = 0.5
			}
			r := sources(nil)
			r.fields = []Field{{Name: "issuing_state", Value: c.issuer, Source: "mrz", Confidence: confidence}, {Name: "nationality", Value: c.nationality, Source: "mrz", Confidence: confidence}}
			c.zone.Valid = true
			r.zone = &c.zone
			var f policy.Finding
			r.checkDocument(&f)
			got := slices.ContainsFunc(f.Assertions, func(a policy.Assertion) bool {
				return a.Code == "document.type_unconfirmed" && a.Field == "issuing_state"
			})
			if got != (c.want && sure) {
				t.Errorf("%s, read with %.2f: %v %+v", c.what, confidence, got, f.Assertions)
			}
		}
	}
}
