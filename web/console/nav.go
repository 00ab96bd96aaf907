package console

import (
	"strings"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/api"
)

type navGroup struct {
	Name  string
	Items []navItem
}

type navItem struct {
	Name, Path string
	Here       bool
	need       access.Permission
	when       func(*Console) bool
}

func stored(x *Console) bool { return x.c.Store != nil }
func ruled(x *Console) bool  { return stored(x) && x.c.Rules.Current != nil }
func always(*Console) bool   { return true }

// navigation is every page that has a place of its own, in the order of a day.
var navigation = []navGroup{
	{"Work", []navItem{
		{"Overview", Path + "/overview", false, access.FiguresRead, stored},
		{"Reviews", Path + "/reviews", false, access.ReviewRead, always},
		{"Evidence", Path + "/grants", false, access.EvidenceApprove, always},
		{"Sessions", Path + "/sessions", false, access.CaseList, stored},
	}},
	{"Rules", []navItem{
		{"Thresholds", Path + "/thresholds", false, access.PolicyRead, ruled},
		{"Blind checks", Path + "/checks", false, access.PolicyRead, ruled},
		{"Policies", Path + "/policies", false, access.PolicyRead, ruled},
	}},
	{"Assurance", []navItem{
		{"Audit log", Path + "/audit", false, access.AuditRead, stored},
		{"Retention", Path + "/retention", false, access.HoldRead, stored},
	}},
	{"Machine", []navItem{
		{"Webhooks", Path + "/webhooks", false, access.QueueRead, stored},
		{"Queues", Path + "/queues", false, access.QueueRead, stored},
		{"Models", Path + "/models", false, access.FiguresRead, stored},
		{"Users", Path + "/users", false, access.AccountsRead, stored},
	}},
}

// nav is what somebody may see of it.
func (x *Console) nav(s api.Staff, at string) []navGroup {
	if s.Account.ID == "" {
		return nil
	}
	var out []navGroup
	for _, g := range navigation {
		own := navGroup{Name: g.Name}
		for _, i := range g.Items {
			if s.Can(i.need) && i.when(x) {
				i.Here = at == i.Path || strings.HasPrefix(at, i.Path+"/")
				own.Items = append(own.Items, i)
			}
		}
		if len(own.Items) > 0 {
			out = append(out, own)
		}
	}
	return out
}
