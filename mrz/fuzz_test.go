package mrz

import (
	"errors"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	f.Add(strings.Join(utopia, "\n"))
	f.Add("I<NLD123456789<0123456788018<X\n6503101F3108022NLDOPT<DATA2<<5\nDE<BRUIJN<<WILLEKE<LISELOTTE<<")
	f.Add("123456789<<<<<<<<<<<<<<<<<<<<<\r\n\x00«")
	for _, all := range samples {
		for l, s := range all {
			lines, _ := Format(s, TD1)
			_ = l
			f.Add(strings.Join(lines, "\n"))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseText(text)
		if err != nil {
			var typed *Error
			if !errors.As(err, &typed) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		for _, e := range d.Errors {
			if e.Line < 1 || e.Line > len(d.Lines) || e.Column < 1 || e.Column > len(d.Lines[e.Line-1]) {
				t.Fatalf("error outside the zone: %+v", e)
			}
		}
		if d.Valid && d.Checks.DocumentNumber == Failed {
			t.Fatal("valid with a failed check")
		}
	})
}

// What Format prints parses back to the same fields, or Format refuses.
func FuzzFormat(f *testing.F) {
	for l, all := range samples {
		for _, s := range all {
			f.Add(string(l), s.DocumentCode, s.IssuingState, s.Surname, s.GivenNames, s.DocumentNumber, s.Nationality, s.BirthDate, s.Sex, s.ExpirationDate, s.Optional1, s.Optional2)
		}
	}
	f.Fuzz(func(t *testing.T, l, code, state, surname, given, number, nat, birth, sex, expiry, o1, o2 string) {
		lines, err := Format(Fields{DocumentCode: code, IssuingState: state, Surname: surname, GivenNames: given, DocumentNumber: number,
			Nationality: nat, BirthDate: birth, Sex: sex, ExpirationDate: expiry, Optional1: o1, Optional2: o2}, Layout(l))
		if err != nil {
			return
		}
		d, err := Parse(lines)
		if err != nil {
			t.Fatalf("%q: %v", lines, err)
		}
		if d.Format != Layout(l) {
			return // the first letters chose another layout of the same size
		}
		again, err := Format(d.Fields, d.Format)
		if err != nil {
			return
		}
		d2, err := Parse(again)
		if err != nil || d2.Fields != d.Fields {
			t.Fatalf("%q -> %q: %+v, then %+v, %v", lines, again, d.Fields, d2, err)
		}
	})
}

// The Document with its lines, its given names and its dates: three
// allocations, all part of the result.
func TestParsingAllocatesOnlyItsResult(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ParseAt(utopia, today); err != nil {
			t.Fatal(err)
		}
	}); n > 3 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseAt(utopia, today); err != nil {
			b.Fatal(err)
		}
	}
}
