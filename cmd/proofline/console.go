package main

import (
	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/web/console"
)

// console is the pages for people, over everything that they show.
func (s settings) console(n *node, live *livePolicy, archive *archive, door *login.Door, desk *review.Desk, public string, wake func()) *console.Console {
	c := console.Config{
		Door: door, Desk: desk, PublicURL: public, Log: n.log, Store: n.store, QueuePage: true, Wake: wake, ReadObject: n.readObject, Prove: n.proveNow,
		Models: func() ([]models.Status, error) {
			return models.Verify(s.modelsDir(), firstNonEmpty(s.Models.Profile, models.Default))
		},
		Rules: console.Rules{
			Current: live.Current, Under: archive.findUnder, Prepare: s.calibrated, Activated: live.refresh,
			Check: func(p *policy.Policy) error { return live.check(p) }, SecondPerson: s.Policy.SecondPerson,
		},
	}
	var err error
	if c.Verifier, err = s.publicKey(""); err != nil {
		n.log.Warn("the console can not verify the audit log", "error", err)
	}
	return console.New(c)
}
