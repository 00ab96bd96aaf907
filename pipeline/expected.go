package pipeline

import (
	"context"
	"slices"
	"strings"

	"github.com/proofline/proofline/document"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
)

// kindSeen is what the readings of a document say of its kind.
type kindSeen struct {
	// Names are what a cell's Documents can call it.
	Names []string
	// Types are the document types that it can be.
	Types []string
	// Read: a machine-readable zone or a barcode says so, not the shape alone.
	// Of 84 development photos in which a document was found 9 had the shape of
	// another kind, so a shape alone proves nothing.
	Read bool
}

func (k kindSeen) is(t string) bool { return slices.Contains(k.Types, t) }

func (k kindSeen) acceptedBy(documents []string) bool {
	return slices.ContainsFunc(k.Names, func(n string) bool { return slices.Contains(documents, n) })
}

var classesOfFormat = map[string][]string{
	"TD1": {string(document.ID1), string(document.ID1Front), string(document.ID1Back)},
	"TD2": {string(document.ID2)}, "FRENCH_NATIONAL_ID": {string(document.ID2)},
	"FRENCH_DRIVING_LICENSE": {string(document.ID1), string(document.ID1Front), string(document.ID1Back)},
	"SWISS_DRIVING_LICENSE":  {string(document.ID1), string(document.ID1Front), string(document.ID1Back)},
	"TD3":                    {string(document.PassportPage)}, "MRVA": {string(document.Visa)}, "MRVB": {string(document.Visa)},
}

// kindOfZone is what a zone says. Where its check digits fail, the document code
// may be misread as well, but hardly the number and length of the lines.
//
// Identity cards and residence permits share their layouts and first letters;
// 9303-5 section 4.2.2 leaves the second to the issuing state, and an R for
// residence is a custom of the European Union (Regulation (EC) 1030/2002).
func kindOfZone(z *zone) kindSeen {
	k := kindSeen{Read: true, Names: append([]string{z.Format}, classesOfFormat[z.Format]...)}
	switch {
	case z.DocumentType == "passport", !z.Valid && z.Format == "TD3":
		k.Types = []string{"passport"}
	case z.DocumentType == "identity_card", !z.Valid && (z.Format == "TD1" || z.Format == "TD2"):
		k.Types = []string{"id_card", "residence_permit"}
	case z.DocumentType == "driving_licence":
		k.Types = []string{"driving_licence"}
	}
	if z.Valid {
		k.Names = append(k.Names, z.DocumentType)
	}
	k.Names = append(k.Names, k.Types...)
	return k
}

// kindOfShape is what size and side say: a card is any kind of card.
func kindOfShape(c document.Class) kindSeen {
	k := kindSeen{Names: []string{string(c)}}
	switch c {
	case document.PassportPage:
		k.Types = []string{"passport"}
	case document.ID1, document.ID1Front, document.ID1Back, document.ID2:
		k.Types = []string{"id_card", "residence_permit", "driving_licence"}
	case document.Unknown:
		k.Names = nil
	}
	k.Names = append(k.Names, k.Types...)
	return k
}

// kind joins what was read of the case's document: a zone says most, then a
// barcode as North American cards carry it, then shapes.
func (r *run) kind() kindSeen {
	if r.zone != nil {
		return kindOfZone(r.zone)
	}
	if slices.ContainsFunc(r.fields, func(f Field) bool { return f.Source == "barcode" }) {
		types := []string{"driving_licence", "id_card"} // AAMVA DL/ID: both look alike
		return kindSeen{Read: true, Types: types, Names: append(slices.Clone(types), classesOfFormat["TD1"]...)}
	}
	var out kindSeen
	for _, kind := range documentKinds {
		if d := r.documents[kind]; d != nil {
			k := kindOfShape(d.Class)
			out.Names, out.Types = append(out.Names, k.Names...), append(out.Types, k.Types...)
		}
	}
	return out
}

// checkKind says whether the document is of the kind that the session is for,
// and one that the policy accepts.
func (r *run) checkKind(f *policy.Finding) {
	k := r.kind()
	if t := r.c.Context.DocumentType; t != "" {
		switch {
		case k.Read && !k.is(t), t == "passport" && r.frontOfCard():
			f.Assert("document.type_not_expected", t)
		case !k.is(t), otherCard(r.zone, t):
			f.Assert("document.type_unconfirmed", t)
		}
	}
	if len(r.cell.Documents) > 0 && !k.acceptedBy(r.cell.Documents) {
		if len(k.Names) == 0 {
			f.Assert("document.type_unconfirmed", "")
		} else {
			f.Assert("document.type_not_allowed", "")
		}
	}
}

// persons are the codes of 9303-3 section 5 that stand for who holds a document,
// not for who issues it: the stateless, refugees and others.
var persons = []string{"XXA", "XXB", "XXC", "XXX"}

// organisations have codes of 9303-3 section 5 and issue laissez-passer, which
// are passports (TD3), but neither identity cards nor licences.
var organisations = []string{"EUE", "UNO", "UNA", "XBA", "XIM", "XCC", "XCE", "XCO", "XEC", "XES", "XMP", "XPO", "XDC"}

// checkIssuer holds the issuing state against the kind of document: whether
// there can be one of this kind. The letters are of no check digit, so that a
// person looks.
func (r *run) checkIssuer(f *policy.Finding) {
	if r.zone == nil || !r.zone.Valid {
		return
	}
	issuer, nationality := "", ""
	for _, x := range r.fields {
		if x.Source == "mrz" && x.Confidence >= sureDifference {
			switch x.Name {
			case "issuing_state":
				issuer = strings.Trim(x.Value, "<")
			case "nationality":
				nationality = strings.Trim(x.Value, "<")
			}
		}
	}
	card := slices.Contains(kindOfZone(r.zone).Types, "id_card") || r.zone.DocumentType == "driving_licence"
	// Residence permits are of those who are not nationals (9303-5 section 4.2.2
	// leaves the letter R to the state; Regulation (EC) 1030/2002, article 1).
	own := issuer != "" && issuer == nationality && otherCard(r.zone, "id_card")
	if slices.Contains(persons, issuer) || card && slices.Contains(organisations, issuer) || own {
		f.Assert("document.type_unconfirmed", "issuing_state")
	}
}

// frontOfCard: the document has the shape of a card and nowhere a zone. A
// passport's data page has one (9303-4 section 3.1.1), the front of most cards
// has none.
func (r *run) frontOfCard() bool {
	front := r.documents["document_front"]
	return front != nil && front.Class == document.ID1Front && r.asserted("document.mrz_not_found")
}

func (r *run) asserted(c policy.Code) bool {
	return slices.ContainsFunc(r.findings, func(f policy.Finding) bool {
		return slices.ContainsFunc(f.Assertions, func(a policy.Assertion) bool { return a.Code == c })
	})
}

// otherCard tells, as far as custom goes, a residence permit from an identity
// card by the second letter of its code.
func otherCard(z *zone, wanted string) bool {
	if z == nil || !z.Valid || wanted != "id_card" || len(z.Lines) == 0 || len(z.Lines[0]) < 2 {
		return false
	}
	return strings.ContainsRune("AIC", rune(z.Lines[0][0])) && z.Lines[0][1] == 'R'
}

// gateKind adds to the finding about one photo that the document in it is of
// another kind than wanted. The shape only raises the suspicion: the zone, which
// is read when there is one, or its absence where every document of the kind has
// one, has to confirm it.
func gateKind(ctx context.Context, e *Engines, cell policy.Cell, p *photo.Image, d *straightened, f *policy.Finding) error {
	wanted, shape := cell.For.DocumentType, kindOfShape(d.Class)
	other := wanted != "" && len(shape.Types) > 0 && !shape.is(wanted) || d.Class == document.Visa && wanted != ""
	refused := len(cell.Documents) > 0 && len(shape.Names) > 0 && !shape.acceptedBy(cell.Documents)
	if e.MRZ == nil || !other && !refused {
		return nil
	}
	res, err := e.MRZ.Read(ctx, d.Rectified)
	if err != nil {
		return err
	}
	if !res.Found {
		if res, err = e.MRZ.Read(ctx, p.Mat); err != nil {
			return err
		}
	}
	var read kindSeen
	if doc := res.Document; res.Found && doc != nil && doc.Valid {
		read = kindOfZone(&zone{Format: string(doc.Format), DocumentType: doc.Interpreted.DocumentType, Valid: true})
	}
	switch {
	case read.Read && other && !read.is(wanted):
		f.Assert("document.type_not_expected", wanted)
	case read.Read && refused && !read.acceptedBy(cell.Documents):
		f.Assert("document.type_not_allowed", "")
	case other && wanted == "passport" && d.Class == document.ID1Front && !res.Found:
		f.Assert("document.type_not_expected", wanted)
	}
	return nil
}
