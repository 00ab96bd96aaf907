package reader

import (
	"image"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/proofline/proofline/mrz"
	"gocv.io/x/gocv"
)

// Whatever the recogniser says, the reader neither fails nor calls valid what
// is not. The bytes choose layout, text and how certain each character is.
func FuzzDecode(f *testing.F) {
	f.Add(byte(0), strings.Join(utopia, ""), []byte{255, 200, 3})
	f.Add(byte(1), "I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6ERIKSSON<<ANNA<MARIA<<<<<<<<<<", []byte{9})
	f.Add(byte(2), "IDFRABERTHIER<<<<<<<<<<<<<<<<<<<<<<<8806923102858CORINNE<<<<<<<6512068F6", []byte{40, 0, 7})
	f.Fuzz(func(t *testing.T, shape byte, text string, sure []byte) {
		size := [][2]int{{2, 44}, {3, 30}, {2, 36}}[shape%3]
		var block []reading
		for i := range size[0] {
			c := columns{n: 4*size[1] + 8}
			for col := range c.n {
				at, k := gap, (col-4)/4
				p := 0.97
				if col >= 4 && col%4 == 0 && k < size[1] {
					at = filler
					if j := i*size[1] + k; j < len(text) {
						at = classOf(text[j])
					}
					if len(sure) > 0 {
						p = 0.02 + 0.97*float64(sure[(i+k)%len(sure)])/255
					}
				}
				for m := range classes {
					q := (1 - p) / float64(classes-1)
					if m == at {
						q = p
					}
					c.p = append(c.p, float32(math.Log(q)))
				}
			}
			l := line{x: 400, y: 100 + 40*float64(i), ux: 1, length: 700, height: 12, pitch: 16, aspect: 1}
			block = append(block, reading{line: l, cols: c, free: free(c), confidence: 1})
		}
		z, err := decode(block, size[1])
		if err != nil {
			t.Fatal(err)
		}
		r := z.result()
		if len(r.Lines) != size[0] || r.Confidence < 0 || r.Confidence > 1 || math.IsNaN(r.Confidence) {
			t.Fatalf("%+v", r)
		}
		d, err := mrz.Parse(r.Lines)
		if err != nil {
			t.Fatal(err)
		}
		if r.Valid && !d.Valid || d.Valid != z.doc.Valid || d.Fields != r.Document.Fields {
			t.Fatalf("valid %v of a zone whose digits say %+v", r.Valid, d.Checks)
		}
		byDigits := 0
		for _, p := range r.Repairs {
			if p.Line < 1 || p.Line > size[0] || p.Column < 1 || p.Column > size[1] {
				t.Fatalf("repair outside the zone: %+v", p)
			}
			if p.Why == "check digits" {
				byDigits++
			}
		}
		if byDigits > maxChanges {
			t.Fatalf("%d repairs by check digits", byDigits)
		}
	})
}

// Any picture is read without failing, and what is called valid parses as
// valid.
func FuzzRead(f *testing.F) {
	stripes := make([]byte, 64)
	for i := range stripes {
		stripes[i] = byte(255 * (i / 2 % 2))
	}
	f.Add(uint16(120), uint16(60), stripes)
	f.Add(uint16(1), uint16(400), []byte{0})
	f.Add(uint16(200), uint16(90), slices.Repeat([]byte{255, 255, 0, 255, 255, 255, 255}, 40))
	r := openReader(f, 1)
	f.Fuzz(func(t *testing.T, w, h uint16, px []byte) {
		cols, rows := int(w%400)+1, int(h%200)+1
		m := gocv.NewMatWithSize(rows, cols, gocv.MatTypeCV8UC1)
		defer m.Close()
		all, err := m.DataPtrUint8()
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			all[i] = 230
			if len(px) > 0 {
				all[i] = px[i%len(px)]
			}
		}
		big := gocv.NewMat()
		defer big.Close()
		if err := gocv.Resize(m, &big, image.Pt(cols*2, rows*2), 0, 0, gocv.InterpolationLinear); err != nil {
			t.Fatal(err)
		}
		res, err := r.Read(t.Context(), big)
		if err != nil {
			t.Fatal(err)
		}
		if res.Lines == nil || res.Repairs == nil || res.Valid && !res.Found {
			t.Fatalf("%+v", res)
		}
		if res.Found {
			if d, err := mrz.Parse(res.Lines); err != nil || res.Valid && !d.Valid {
				t.Fatalf("%q: %v", res.Lines, err)
			}
		}
	})
}
