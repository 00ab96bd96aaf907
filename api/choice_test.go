package api_test

import (
	"context"
	"slices"
	"testing"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
)

func TestTheFieldsHandedOnAreThoseOfTheDocumentThatThePersonChose(t *testing.T) {
	rules := *policy.Default()
	rules.Cells = append(slices.Clone(rules.Cells),
		policy.Cell{Name: "passports", Match: policy.Match{DocumentType: "passport"}, Attributes: []string{"surname"}},
		policy.Cell{Name: "cards", Match: policy.Match{DocumentType: "id_card"}, Attributes: []string{"document_number"}})
	s := newServer(t, staffed(func(c *review.Config) {
		c.Policy = func(context.Context, string) (*policy.Policy, error) { return &rules, nil }
	}))
	ctx := context.Background()
	vera, _, _ := s.person("vera", access.Reviewer)
	const want = "surname" // the cell of passports says so, also where the service named no document
	for _, fixed := range []string{"", "passport"} {
		id := s.review(client.NewSession{DocumentType: fixed}) // photos of a passport
		if _, err := vera.Claim(ctx, id); err != nil {
			t.Fatal(err)
		}
		shown, err := vera.Review(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := vera.Decide(ctx, id, shown.Version, client.Verdict{Outcome: "approved", Override: true, Note: "fine"}); err != nil {
			t.Fatal(err)
		}
		got, err := s.service.Attributes(ctx, id)
		if err != nil || len(got.Attributes) != 1 || got.Attributes[0].Name != want {
			t.Errorf("session for %q: %+v, %v; want %s", fixed, got, err, want)
		}
	}
}
