package access

import (
	"fmt"
	"slices"
	"strings"
)

// GroupRoles says which roles the groups of an identity provider give.
type GroupRoles map[string][]Role

// ParseGroupRoles reads entries of the form "group=role" or
// "group=role+role". A group can be named twice.
func ParseGroupRoles(entries []string) (GroupRoles, error) {
	out := GroupRoles{}
	for _, e := range entries {
		group, names, ok := strings.Cut(e, "=")
		if group = strings.TrimSpace(group); !ok || group == "" {
			return nil, fmt.Errorf("%q is not group=role", e)
		}
		roles, err := ParseRoles(strings.Split(names, "+"))
		if err != nil {
			return nil, fmt.Errorf("group %q: %w", group, err)
		}
		for _, r := range roles {
			if !slices.Contains(out[group], r) {
				out[group] = append(out[group], r)
			}
		}
	}
	return out, nil
}

// Roles are those of somebody in these groups, in the table's order; none means
// that the person has no business here.
func (g GroupRoles) Roles(groups []string) []Role {
	var out []Role
	for _, r := range StaffRoles() {
		if slices.ContainsFunc(groups, func(name string) bool { return slices.Contains(g[name], r) }) {
			out = append(out, r)
		}
	}
	return out
}
