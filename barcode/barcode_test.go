package barcode

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

const licence = "@\n\x1e\rANSI 636015080002DL00410200ZT02410010DLDCSDOE\nDACJOHN\nDBB02081977\nDBA08042015\nDAQ38884194\nDAU 65 IN\nDCGUSA\nDBC1\rZTZTAN\r"

func TestTheElementsOfALicenceAreRead(t *testing.T) {
	l, err := ParseAAMVA([]byte(licence))
	if err != nil {
		t.Fatal(err)
	}
	if l.Issuer != "636015" || l.Version != 8 {
		t.Errorf("issuer %s version %d", l.Issuer, l.Version)
	}
	for id, want := range map[string]string{"DCS": "DOE", "DAC": "JOHN", "DBB": "02081977", "DAQ": "38884194", "DAU": "65 IN", "DBC": "1"} {
		if l.Elements[id] != want {
			t.Errorf("%s: %q, want %q", id, l.Elements[id], want)
		}
	}
}

func TestOtherContentIsNotTakenForALicence(t *testing.T) {
	for _, s := range []string{"", "@", "@ANSI ", "@ANSI 12", "hello", "@\n\x1e\rANSI 636015080002", strings.Repeat("@", 5000)} {
		if _, err := ParseAAMVA([]byte(s)); !errors.Is(err, ErrNotAAMVA) {
			t.Errorf("%.20q: %v", s, err)
		}
	}
}

func TestControlCharactersDoNotReachValues(t *testing.T) {
	l, err := ParseAAMVA([]byte("@ANSI 636015080002DL00410200DLDCSD\x1b[31mOE%s\nDACA\x00B"))
	if err != nil {
		t.Fatal(err)
	}
	if l.Elements["DCS"] != "D[31mOE%s" || l.Elements["DAC"] != "AB" {
		t.Errorf("%q", l.Elements)
	}
}

func TestDatesOfBothCountriesAreRead(t *testing.T) {
	for s, want := range map[string]string{"02081977": "1977-02-08", "19770208": "1977-02-08", "99999999": "", "": "", "0208197": "", "0208197x": ""} {
		if got, _ := Date(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestAnImageWithoutABarcodeGivesNone(t *testing.T) {
	m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(128, 128, 128, 0), 300, 500, gocv.MatTypeCV8UC3)
	defer m.Close()
	if s, err := Read(context.Background(), m); err != nil || len(s) != 0 {
		t.Errorf("%v %v", s, err)
	}
	tiny := gocv.NewMatWithSize(1, 1, gocv.MatTypeCV8UC3)
	defer tiny.Close()
	if s, err := Read(context.Background(), tiny); err != nil || len(s) != 0 {
		t.Errorf("%v %v", s, err)
	}
}

// The labelled symbols are for measuring; the counts guard against a loss of
// reading ability, not against a single file.
func TestLabelledSymbolsAreReadWhenTheDataIsThere(t *testing.T) {
	root := os.Getenv("PROOFLINE_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(root, "documents", "items.jsonl"))
	if err != nil {
		t.Skip("no evaluation data")
	}
	defer f.Close()
	read, total := 0, 0
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		var r struct{ File, Payload string }
		if json.Unmarshal(sc.Bytes(), &r) != nil || r.Payload == "" {
			continue
		}
		total++
		b, err := os.ReadFile(filepath.Join(root, r.File))
		if err != nil {
			t.Fatal(err)
		}
		img, err := photo.Decode(b, photo.DefaultLimits)
		if err != nil {
			t.Logf("%s: %v", r.File, err)
			continue
		}
		ss, err := Read(context.Background(), img.Mat)
		img.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(ss) > 0 {
			read++
		} else {
			t.Logf("not read: %s", r.File)
		}
	}
	t.Logf("%d of %d symbols read", read, total)
	if total > 0 && float64(read)/float64(total) < 0.8 {
		t.Errorf("only %d of %d symbols read", read, total)
	}
}

func FuzzParseAAMVA(f *testing.F) {
	f.Add([]byte(licence))
	f.Add([]byte("@ANSI 636015080002DL"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseAAMVA(b)
		if err != nil {
			return
		}
		for id, v := range l.Elements {
			if !isID(id) || printable(v) != v {
				t.Fatalf("%q: %q", id, v)
			}
		}
	})
}
