package receipt

import (
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/proofline/proofline/audit"
)

func FuzzOpen(f *testing.F) {
	skey, vkey, err := audit.GenerateKey("test")
	if err != nil {
		f.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"proofline_receipt":1,"session":"ses_1","attempt":1,"decisions":[{"outcome":"approved"}],"input":{"attempt":1,"findings":null},"proof":{"proofline_audit_proof":1,"checkpoint":"x"}}`)
	f.Add(`{"proofline_receipt":1}`)
	f.Add("{}\n{}")
	// The signature is right whatever is inside: what follows it has to be safe
	// as well, since a key can be stolen.
	f.Fuzz(func(t *testing.T, body string) {
		b, err := note.Sign(&note.Note{Text: header + "\n" + body + "\n"}, s)
		if err != nil {
			return
		}
		if _, _, err := Open(b, vkey); err == nil {
			t.Fatalf("%q holds without a log", body)
		}
		if _, _, err := Open([]byte(body), vkey); err == nil {
			t.Fatalf("%q holds without a signature", body)
		}
	})
}

func TestAReceiptIsBounded(t *testing.T) {
	if _, err := Read(strings.NewReader(strings.Repeat("x", MaxBytes+1))); err == nil {
		t.Error("an endless receipt was read")
	}
	if _, _, err := Open(make([]byte, MaxBytes+1), "x"); err == nil {
		t.Error("a large receipt was opened")
	}
}
