package barcode

import (
	"fmt"
	"strings"
)

// Format writes the content of a licence's symbol as annex D of the AAMVA
// DL/ID standard has it: header, subfile designators with offset and length,
// elements one a line. Elements are written in the order of ids; one that is
// not in the standard goes into the jurisdiction's own subfile when it begins
// with Z. It is there for specimens and tests.
func (l *Licence) Format(ids []string) []byte {
	kind := l.Type
	if kind == "" {
		kind = "DL"
	}
	var own, foreign []string
	for _, id := range ids {
		line := id + l.Elements[id]
		if strings.HasPrefix(id, "Z") {
			foreign = append(foreign, line)
		} else {
			own = append(own, line)
		}
	}
	bodies := []string{kind + strings.Join(own, "\n") + "\r"}
	names := []string{kind}
	if len(foreign) > 0 {
		z := foreign[0][:2]
		bodies, names = append(bodies, z+strings.Join(foreign, "\n")+"\r"), append(names, z)
	}
	fileType, jurisdiction := "ANSI ", "00"
	if l.Version < 2 {
		fileType, jurisdiction = "AAMVA", "" // version 1 has no jurisdiction version
	}
	head := fmt.Sprintf("@\n\x1e\r%s%s%02d%s%02d", fileType, l.Issuer, l.Version, jurisdiction, len(names))
	offset := len(head) + 10*len(names)
	var designators strings.Builder
	for i, n := range names {
		fmt.Fprintf(&designators, "%s%04d%04d", n, offset, len(bodies[i]))
		offset += len(bodies[i])
	}
	return []byte(head + designators.String() + strings.Join(bodies, ""))
}
