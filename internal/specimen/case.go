package specimen

import "fmt"

// CaseKind is one of the cases that the demo shows.
type CaseKind string

const (
	CaseGood        CaseKind = "good"         // everything is as it should be
	CaseBlurred     CaseKind = "blurred"      // the document is out of focus
	CaseOtherPerson CaseKind = "other_person" // the selfie shows someone else
	CaseReplay      CaseKind = "replay"       // the selfie is replayed on a screen
)

// CaseKinds lists the cases in the order in which the demo runs them.
var CaseKinds = []CaseKind{CaseGood, CaseBlurred, CaseOtherPerson, CaseReplay}

// Case is a whole submission with what is true about it.
type Case struct {
	Kind         CaseKind
	Files        map[string][]byte // document_front, document_back (cards only), selfie: JPEG files
	Truth        Truth
	SelfiePerson string            // id of who is on the selfie
	Claims       map[string]string // what an honest relying service would claim about the holder
}

// CaseOptions chooses the document of a case.
type CaseOptions struct {
	Format Format // TD3 when empty
	Person string // chosen by seed among the people of the demo when empty
}

// Stage makes the case that belongs to a kind and a seed.
func Stage(kind CaseKind, seed int64, ps *Portraits, o CaseOptions) (*Case, error) {
	if ps == nil {
		return nil, &MissingPortraitsError{Dir: DefaultPortraitsDir()}
	}
	if o.Person == "" {
		o.Person = pick(stream(seed, "case person"), ps.shown()).ID
	}
	s, err := New(seed, Options{Format: o.Format, Portraits: ps, Person: o.Person})
	if err != nil {
		return nil, fmt.Errorf("stage case %s: %w", kind, err)
	}
	holder, err := ps.Person(s.Truth.Person)
	if err != nil {
		return nil, fmt.Errorf("stage case %s: %w", kind, err)
	}
	c := &Case{Kind: kind, Files: map[string][]byte{}, Truth: s.Truth, SelfiePerson: holder.ID, Claims: claims(s.Truth.Identity)}
	wrong := Good
	if kind == CaseBlurred {
		wrong = BlurDefocus
	}
	if c.Files["document_front"], err = s.photographed("front", seed, wrong); err != nil {
		return nil, fmt.Errorf("stage case %s: %w", kind, err)
	}
	if s.back != nil {
		if c.Files["document_back"], err = s.photographed("back", seed+1, wrong); err != nil {
			return nil, fmt.Errorf("stage case %s: %w", kind, err)
		}
	}
	person := holder
	if kind == CaseOtherPerson {
		person = ps.other(seed, holder)
		c.SelfiePerson = person.ID
	}
	selfie, err := TakeSelfie(person, SelfieOptions{Seed: seed})
	if err != nil {
		return nil, fmt.Errorf("stage case %s: %w", kind, err)
	}
	if kind == CaseReplay {
		shown, err := Attack(Screen, selfie, seed)
		if err != nil {
			return nil, fmt.Errorf("stage case %s: %w", kind, err)
		}
		c.Files["selfie"], err = shown.JPEG(90)
		return c, err
	}
	c.Files["selfie"], err = selfie.JPEG(92)
	return c, err
}

func (s *Specimen) photographed(side string, seed int64, d Degradation) ([]byte, error) {
	img := s.front
	if side == "back" {
		img = s.back
	}
	camera := CameraFor(seed, d, s.Truth.Side(side))
	if d == BlurDefocus {
		// The milder blurs of the degradation leave a card's larger type
		// readable; the case is about one that is not.
		camera.Defocus = max(camera.Defocus, 7)
	}
	p, err := Photograph(img, camera)
	if err != nil {
		return nil, err
	}
	return p.JPEG(d.Quality())
}

// claims are keyed like the fields of a reading.
func claims(id Identity) map[string]string {
	return map[string]string{"surname": id.Surname, "given_names": id.GivenNames, "birth_date": id.BirthDate, "document_number": id.DocumentNumber}
}
