package access

import (
	"fmt"
	"slices"
	"strings"
)

// Role is what somebody, or a program, is to this server. An account can have
// several; what it may do is what any of them allows.
type Role string

const (
	// Client is the person in front of the camera, by the token of one session.
	Client Role = "client"
	// Service is a relying service, by API key; its key's scopes narrow it.
	Service Role = "service"
	// The others are people with an account.
	Reviewer       Role = "reviewer"
	Operator       Role = "operator"
	Auditor        Role = "auditor"
	PrivacyOfficer Role = "privacy_officer"
	Admin          Role = "admin"
)

// Roles lists all roles in the order of the table's columns.
func Roles() []Role {
	return []Role{Client, Service, Reviewer, Operator, Auditor, PrivacyOfficer, Admin}
}

// StaffRoles are the roles that an account can have.
func StaffRoles() []Role { return Roles()[2:] }

// ParseRoles reads names of staff roles and refuses anything else.
func ParseRoles(names []string) ([]Role, error) {
	var out []Role
	for _, n := range names {
		r := Role(strings.TrimSpace(n))
		if !slices.Contains(StaffRoles(), r) {
			return nil, fmt.Errorf("unknown role %q; there are %s", n, roleNames(StaffRoles()))
		}
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no role is given; there are %s", roleNames(StaffRoles()))
	}
	return out, nil
}

func roleNames(rs []Role) string {
	names := make([]string, len(rs))
	for i, r := range rs {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

// Permission names one thing that can be done.
type Permission string

const (
	// Public needs no credential at all.
	Public Permission = "public"

	CaptureUse  Permission = "capture.use"
	ConsentEnd  Permission = "consent.withdraw"
	SessionMake Permission = "session.create"
	SessionRead Permission = "session.read"
	SessionEnd  Permission = "session.cancel"
	Attributes  Permission = "attributes.read"
	Erase       Permission = "evidence.erase"

	AccountSelf  Permission = "account.self"
	CaseList     Permission = "case.list"
	ReviewRead   Permission = "review.read"
	ReviewDecide Permission = "review.decide"

	EvidenceAsk     Permission = "evidence.request"
	EvidenceApprove Permission = "evidence.approve"
	EvidenceOpen    Permission = "evidence.open"

	PolicyRead Permission = "policy.read"
	PolicyEdit Permission = "policy.edit"

	HoldRead  Permission = "hold.read"
	HoldPlace Permission = "hold.place"

	AuditRead    Permission = "audit.read"
	FiguresRead  Permission = "figures.read"
	QueueRead    Permission = "queue.read"
	QueueManage  Permission = "queue.manage"
	AccountsRead Permission = "accounts.read"
	AccountsEdit Permission = "accounts.edit"
)

// Row is one permission of the table.
type Row struct {
	Permission Permission
	What       string
	Roles      []Role
}

// people are all who have an account.
var people = StaffRoles()

// table is who may do what. What is not obvious:
//
//   - An admin gives others roles and therefore none of what these do: who
//     wants to see evidence has to give the role away where the log shows it.
//   - An auditor sees codes, the log and no picture; whoever checks the
//     keepers must not be one.
//   - Evidence opens for those whose work needs it, under a grant that they
//     ask for themselves. A second person approves where the setting says so;
//     never the one who asked.
//   - An operator keeps the machine running and needs no case for it.
var table = []Row{
	{CaptureUse, "go through the capture of the token's session", []Role{Client}},
	{ConsentEnd, "withdraw the consent of a session: it ends and its evidence is erased", []Role{Client, Service, PrivacyOfficer}},
	{SessionMake, "create sessions and links", []Role{Service}},
	{SessionRead, "read sessions of one's own tenant", []Role{Service}},
	{SessionEnd, "cancel a session that waits for the person", []Role{Service, Operator}},
	{Attributes, "read the fields that the policy cell grants the relying service", []Role{Service}},
	{Erase, "have a session's evidence erased", []Role{Service, PrivacyOfficer}},

	{AccountSelf, "log in and out, see and change one's own account", people},
	{CaseList, "see cases as states and codes, without pictures and fields", people},
	{ReviewRead, "see the review queue and what measurements say of a case", []Role{Reviewer, Auditor, PrivacyOfficer}},
	{ReviewDecide, "claim, release and decide a case", []Role{Reviewer}},

	{EvidenceAsk, "ask for a grant to open a case's evidence, for a purpose", []Role{Reviewer, PrivacyOfficer}},
	{EvidenceApprove, "approve or end somebody else's grant", []Role{Reviewer, PrivacyOfficer}},
	{EvidenceOpen, "open pictures and fields under one's own valid grant", []Role{Reviewer, PrivacyOfficer}},

	{PolicyRead, "see policies, their history and how thresholds do on past cases", []Role{Reviewer, Operator, Auditor, Admin}},
	{PolicyEdit, "propose and activate policies", []Role{Operator}},

	{HoldRead, "see legal holds, what retention is due and what was erased", []Role{Auditor, PrivacyOfficer}},
	{HoldPlace, "place and lift legal holds", []Role{PrivacyOfficer}},

	{AuditRead, "search the audit log, read the timeline of a case in it, verify it", []Role{Auditor, PrivacyOfficer}},
	{FiguresRead, "read the server's metrics and figures", []Role{Operator, Auditor, Admin}},
	{QueueRead, "see the queues, dead letters and webhooks", []Role{Operator, Admin}},
	{QueueManage, "pause queues, run and delete tasks, deliver webhooks again", []Role{Operator}},
	{AccountsRead, "see accounts and their roles", []Role{Auditor, Admin}},
	{AccountsEdit, "add, disable and change accounts", []Role{Admin}},
}

// Table returns a copy of the table.
func Table() []Row {
	out := slices.Clone(table)
	for i := range out {
		out[i].Roles = slices.Clone(out[i].Roles)
	}
	return out
}

// Known reports whether the table, or Public, has the permission.
func Known(p Permission) bool {
	return p == Public || slices.ContainsFunc(table, func(r Row) bool { return r.Permission == p })
}

// Can reports whether any of the roles has the permission. What the table does
// not have, nobody has.
func Can(p Permission, roles ...Role) bool {
	if p == Public {
		return true
	}
	for _, row := range table {
		if row.Permission == p {
			return slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(row.Roles, r) })
		}
	}
	return false
}

// Markdown is the table as docs/access.md shows it.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| permission | what it allows |")
	for _, r := range Roles() {
		fmt.Fprintf(&b, " %s |", strings.ReplaceAll(string(r), "_", " "))
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" :-: |", len(Roles())) + "\n")
	for _, row := range table {
		fmt.Fprintf(&b, "| `%s` | %s |", row.Permission, row.What)
		for _, r := range Roles() {
			mark := " "
			if slices.Contains(row.Roles, r) {
				mark = "●"
			}
			fmt.Fprintf(&b, " %s |", mark)
		}
		b.WriteString("\n")
	}
	return b.String()
}
