package pipeline

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/screening"
)

func TestTheMatcherIsAskedForWhatNobodyPostedAndItsSilenceIsNoPass(t *testing.T) {
	p, err := policy.Parse([]byte(strings.Replace(string(policy.DefaultYAML()), "  expires: 24h\n", "  expires: 24h\n  screening: [sanctions, pep]\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	var who screening.Subject
	r := &run{cell: p.Cell(policy.Context{}), c: Case{Attempt: 1}, fields: []Field{
		{Name: "surname", Value: "ERIKSON", Source: "visual"}, {Name: "surname", Value: "ERIKSSON", Source: "mrz"}, {Name: "birth_date", Value: "1974-08-12", Source: "mrz"},
	}}
	r.c.Screening = Screening{Known: []screening.Known{{Answer: screening.Answer{List: "sanctions", Result: screening.Clear}, Posted: true, Attempt: 1}},
		Ask: func(_ context.Context, s screening.Subject, lists []string) ([]screening.Answer, error) {
			asked, who = lists, s
			return []screening.Answer{{List: "pep", Result: screening.Possible}}, nil
		}}
	fs, err := runScreening(context.Background(), r)
	if err != nil || len(fs) != 2 || len(fs[0].Assertions) != 0 || fs[1].Assertions[0].Code != "compliance.pep_possible" {
		t.Errorf("%+v, %v", fs, err)
	}
	if len(asked) != 1 || asked[0] != "pep" || who.Surname != "ERIKSSON" || who.BirthDate != "1974-08-12" {
		t.Errorf("asked for %v about %+v", asked, who)
	}
	r.c.Screening.Ask = func(context.Context, screening.Subject, []string) ([]screening.Answer, error) {
		return nil, errors.New("down")
	}
	fs, err = runScreening(context.Background(), r)
	if err != nil || fs[1].Assertions[0].Code != "system.not_evaluated" {
		t.Errorf("a matcher that is down: %+v, %v", fs, err)
	}
	r.fields, asked = nil, nil
	if fs, err = runScreening(context.Background(), r); err != nil || fs[1].Assertions[0].Code != "system.not_evaluated" {
		t.Errorf("nobody to search for: %+v, %v", fs, err)
	}
	r.cell.Screening = nil
	if fs, err = runScreening(context.Background(), r); err != nil || fs != nil {
		t.Errorf("where no list is required: %+v, %v", fs, err)
	}
}
