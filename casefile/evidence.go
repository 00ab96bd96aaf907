package casefile

import (
	"github.com/proofline/proofline/storage"
)

// evidenceStates says per data class what is kept, until when, and what was
// erased with which certificate.
func (f *File) evidenceStates(v View) []EvidenceState {
	out := []EvidenceState{}
	for _, class := range storage.Classes {
		s := EvidenceState{Class: string(class)}
		for _, o := range f.Objects {
			switch {
			case o.Class != class || o.CommittedAt.IsZero():
				continue
			case !o.DeletedAt.IsZero():
				s.Deleted++
			default:
				s.Kept++
				if o.RetainUntil.After(s.RetainUntil) {
					s.RetainUntil = o.RetainUntil
				}
			}
			if v != Support {
				s.Objects = append(s.Objects, o.ID)
			}
		}
		for _, e := range f.Erasures {
			if e.Class == class {
				s.ErasedAt, s.CertifiedAt = e.BegunAt, e.CertifiedAt
			}
		}
		for _, e := range f.Timeline {
			sum := e.Hashes["certificate_"+string(class)]
			if sum == "" {
				continue
			}
			if s.CertifiedAt.IsZero() {
				s.CertifiedAt = e.Time
			}
			if v != Support {
				s.Certificate = &Certificate{Object: e.Refs["certificate_"+string(class)], SHA256: sum, Entry: e.Seq}
			}
		}
		if s.Kept+s.Deleted > 0 || !s.ErasedAt.IsZero() || s.Certificate != nil {
			out = append(out, s)
		}
	}
	return out
}
