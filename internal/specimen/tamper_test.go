package specimen

import (
	"bytes"
	"testing"

	"github.com/proofline/proofline/barcode"
	"gocv.io/x/gocv"
)

func TestTamperingAltersOneFieldInOneZone(t *testing.T) {
	id := inventIdentity(7, Options{Reference: ReferenceDate}, &states[0], nil)
	for _, f := range Layouts {
		for _, zone := range f.Zones() {
			for _, field := range TamperFields {
				visual, machine, coded, err := (&Tamper{Zone: zone, Field: field}).apply(7, f, id)
				if err != nil {
					t.Fatal(err)
				}
				if (visual != id) != (zone == Visual) || (machine != id) != (zone == Machine) || (coded != id) != (zone == Barcode) {
					t.Errorf("%s, %s in %s: %v %v %v", f, field, zone, visual, machine, coded)
				}
			}
		}
	}
	for _, bad := range []Tamper{{Zone: Machine, Field: "sex"}, {Zone: Visual, Field: "eyes"}} {
		if _, _, _, err := bad.apply(7, EULicence, id); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}

func TestTheBarcodeOfALicenceIsReadFromItsBack(t *testing.T) {
	s, err := New(11, Options{Format: NALicence})
	if err != nil {
		t.Fatal(err)
	}
	m := matOf(s.Back())
	defer m.Close()
	grey := gocv.NewMat()
	defer grey.Close()
	if err := gocv.CvtColor(m, &grey, gocv.ColorRGBAToGray); err != nil {
		t.Fatal(err)
	}
	found, err := barcode.Read(t.Context(), grey)
	if err != nil || len(found) != 1 || !bytes.Equal(found[0].Bytes, s.Truth.Payload) {
		t.Fatalf("%v %v", found, err)
	}
	l, err := barcode.ParseAAMVA(found[0].Bytes)
	if err != nil || l.Elements["DAQ"] != s.Truth.Identity.DocumentNumber {
		t.Errorf("%v %v", l, err)
	}
}
