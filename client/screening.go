package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// NewScreening is what a screening of one list said of a session's person. No
// personal data: the reference finds the search in the system that made it.
type NewScreening struct {
	List      string     `json:"list" enum:"sanctions,pep,adverse_media"`
	Result    string     `json:"result" enum:"clear,possible_match,match,error" doc:"error: it was tried and gave no answer; that is never a pass."`
	Provider  string     `json:"provider" minLength:"1" maxLength:"64" doc:"Who searched."`
	Reference string     `json:"reference" minLength:"1" maxLength:"128" doc:"The provider's id of the search. The same provider, reference and list again changes nothing; with another result it is 409."`
	Lists     string     `json:"lists,omitempty" maxLength:"128" doc:"Version of the lists that were searched."`
	Attempt   int        `json:"attempt,omitempty" minimum:"1" maximum:"20" doc:"The attempt whose person was searched for; the current one when left out. A clear counts for that attempt, and for a later one only when its document names the same person."`
	CheckedAt *time.Time `json:"checked_at,omitempty" doc:"When; now when left out."`
}

// Screening is a recorded result.
type Screening struct {
	ID        string    `json:"id"`
	List      string    `json:"list"`
	Result    string    `json:"result"`
	Provider  string    `json:"provider"`
	Reference string    `json:"reference"`
	Lists     string    `json:"lists,omitempty"`
	Attempt   int       `json:"attempt" doc:"The attempt whose person was searched for."`
	CheckedAt time.Time `json:"checked_at"`
	At        time.Time `json:"at"`
}

// Screenings are all results of a session, oldest first.
type Screenings struct {
	Screenings []Screening `json:"screenings" nullable:"false"`
}

// PostScreening records what a screening said. It is safe to repeat.
func (s *Service) PostScreening(ctx context.Context, session string, n NewScreening) (*Screening, error) {
	var out Screening
	if err := s.json(ctx, http.MethodPost, "/v1/sessions/"+url.PathEscape(session)+"/screenings", n, &out, true, nil); err != nil {
		return nil, err
	}
	return &out, nil
}

// Screenings lists the results of a session.
func (s *Service) Screenings(ctx context.Context, session string) ([]Screening, error) {
	var out Screenings
	if err := s.json(ctx, http.MethodGet, "/v1/sessions/"+url.PathEscape(session)+"/screenings", nil, &out, true, nil); err != nil {
		return nil, err
	}
	return out.Screenings, nil
}
