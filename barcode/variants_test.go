package barcode

import (
	"context"
	"fmt"
	"image"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gocv.io/x/gocv"
)

// full is a card with every element of a version; the values are as long as
// the standard allows where that is what a card prints.
func full(ids ...string) map[string]string {
	all := map[string]string{
		"DCA": "C", "DCB": "B,Z1", "DCD": "NONE", "DBA": "07312029", "DCS": "QUARTERMAIN-O'NEILL", "DAC": "ROSALIND", "DAD": "IMOGEN,TESS",
		"DBD": "08012021", "DBB": "02291988", "DBC": "2", "DAY": "HAZ", "DAU": "067 in", "DAG": "1209 SOUTH HARBOUR TERRACE APT 40-B",
		"DAH": "BUILDING 7", "DAI": "PORT ST JOHN", "DAJ": "", "DAK": "440551234  ", "DAQ": "K134-1231-45103", "DCF": "1861349008811925885", "DCG": "USA",
		"DDE": "N", "DDF": "N", "DDG": "T", "DAZ": "BRO", "DCI": "ZENITH, UTOPIA", "DCJ": "AUDIT 00-17", "DCK": "INV00000000000001",
		"DBN": "QUARTER", "DBG": "ROSE", "DBS": "JR", "DCU": "III", "DCE": "3", "DCL": "U", "DCM": "4   ", "DCN": "P    ", "DCO": "B           ",
		"DCP": "NON-COMMERCIAL VEHICLES UP TO 26,000 LB", "DCQ": "NO ENDORSEMENT", "DCR": "CORRECTIVE LENSES", "DDA": "F", "DDB": "04152019",
		"DDC": "00000000", "DDD": "0", "DAW": "141", "DAX": "064", "DDH": "02282006", "DDI": "02282007", "DDJ": "02282009", "DDK": "1", "DDL": "1",
		"DCT": "ROSALIND,IMOGEN", "DCH": "NONE", "DAA": "QUARTERMAIN,ROSALIND,I", "DAR": "C", "DAS": "", "DAT": "", "DBH": "Y",
		"DAB": "QUARTERMAIN", "DAL": "12 ELM ST", "DAN": "ZENITH", "DAO": "CT", "DAP": "06109", "DAV": "170", "DAE": "JR", "DAF": "MS",
		"DBF": "00", "DBI": "N", "DBJ": "119000555", "DBK": "000000000",
		"PAA": "C", "PAB": "01012027", "PAC": "P1234567", "PAD": "01012026", "PAE": "NONE", "PAF": "NONE", "ZTA": "130", "ZTB": "A",
	}
	out := map[string]string{}
	for _, id := range ids {
		out[id] = all[id]
	}
	return out
}

var (
	mandatory2020 = strings.Fields("DCA DCB DCD DBA DCS DAC DAD DBD DBB DBC DAY DAU DAG DAI DAJ DAK DAQ DCF DCG DDE DDF DDG")
	optional2020  = strings.Fields("DAH DAZ DCI DCJ DCK DBN DBG DBS DCU DCE DCL DCM DCN DCO DCP DCQ DCR DDA DDB DDC DDD DAW DAX DDH DDI DDJ DDK DDL")
	version1      = strings.Fields("DAA DAQ DAG DAI DAJ DAK DAR DAS DAT DBA DBB DBC DBD DAU DAW DAY DAZ DBF DBH DBI DBJ")
	version1Long  = strings.Fields("DAB DAC DAD DAE DAF DAQ DAL DAN DAO DAP DAV DBB DBA DBD DBC")
	version3      = strings.Fields("DCA DCB DCD DBA DCS DCT DBD DBB DBC DAY DAU DAG DAI DAJ DAK DAQ DCF DCG DCH DAZ DCU")
	permit        = strings.Fields("PAA PAB PAC PAD PAE PAF")
)

type variant struct {
	name, issuer string
	version      int
	kind         string
	ids          []string
	change       map[string]string
}

func variants() []variant {
	return []variant{
		{"California 2020 with all optional elements", "636014", 10, "DL", append(slices.Clone(mandatory2020), optional2020...), nil},
		{"Texas 2016 with a subfile of its own", "636015", 9, "DL", append(slices.Clone(mandatory2020), "DAZ", "DCU", "ZTA", "ZTB"), nil},
		{"New York enhanced", "636001", 10, "EN", append(slices.Clone(mandatory2020), "DDK", "DDL"), nil},
		{"Florida identity card", "636010", 8, "ID", append(slices.Clone(mandatory2020), "DDA", "DDB"), nil},
		{"Ontario, dates year first", "636012", 8, "DL", slices.Clone(mandatory2020), map[string]string{"DCG": "CAN", "DBB": "19880229", "DBA": "20290731", "DBD": "20210801", "DAK": "K1A0B1"}},
		{"Quebec, accents in ISO 8859-1", "604428", 6, "DL", slices.Clone(mandatory2020), map[string]string{"DCG": "CAN", "DCS": "B\xc9LANGER-C\xd4T\xc9", "DAI": "MONTR\xc9AL", "DBB": "19880229", "DBA": "20290731", "DBD": "20210801"}},
		{"Connecticut 2000, one name element", "636006", 1, "DL", version1, map[string]string{"DBA": "20131107", "DBB": "19940101", "DBD": "20111115"}},
		{"Virginia 2000, split names and residence", "636000", 1, "DL", version1Long, map[string]string{"DBA": "20131107", "DBB": "19940101", "DBD": "20111115", "DAO": "VA"}},
		{"Ohio 2005", "636023", 3, "DL", version3, nil},
		{"Washington 2009 learner's permit", "636045", 4, "DL", append(slices.Clone(version3), permit...), nil},
		{"Alberta 2011", "604432", 5, "DL", slices.Clone(version3), map[string]string{"DCG": "CAN", "DBB": "19880229", "DBA": "20290731", "DBD": "20210801"}},
		{"Puerto Rico 2013", "604431", 7, "ID", slices.Clone(mandatory2020), nil},
		{"Coahuila", "636056", 2, "DL", version3, map[string]string{"DCG": "MEX", "DBB": "19880229", "DBA": "20290731", "DBD": "20210801"}},
	}
}

func (v variant) licence() *Licence {
	l := &Licence{Issuer: v.issuer, Version: v.version, Type: v.kind, Elements: full(v.ids...)}
	issuer, _ := Issuer(v.issuer)
	if _, ok := l.Elements["DAJ"]; ok {
		l.Elements["DAJ"] = issuer.Code
	}
	maps.Copy(l.Elements, v.change)
	return l
}

func read(t *testing.T, img *image.Gray) []Symbol {
	t.Helper()
	m, err := gocv.NewMatFromBytes(img.Rect.Dy(), img.Rect.Dx(), gocv.MatTypeCV8UC1, img.Pix)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ss, err := Read(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	return ss
}

func latin1(s string) string {
	r, _ := text([]byte(s))
	return r
}

func TestEveryElementOfEveryIssuerVariantIsReadBackFromItsSymbol(t *testing.T) {
	elements := 0
	for _, v := range variants() {
		want := v.licence()
		img, err := EncodePDF417(want.Format(v.ids), 4, 3)
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		ss := read(t, img)
		if len(ss) != 1 {
			t.Errorf("%s: %d symbols", v.name, len(ss))
			continue
		}
		got, err := ParseAAMVA(ss[0].Bytes)
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		if got.Issuer != v.issuer || got.Version != v.version || got.Type != v.kind {
			t.Errorf("%s: issuer %s version %d type %s", v.name, got.Issuer, got.Version, got.Type)
		}
		for _, id := range v.ids {
			elements++
			if w := strings.TrimSpace(latin1(want.Elements[id])); got.Elements[id] != w {
				t.Errorf("%s: %s %q, want %q", v.name, id, got.Elements[id], w)
			}
		}
		if len(got.Elements) != len(v.ids) || len(got.Oddities) > 0 {
			t.Errorf("%s: %d elements, want %d; oddities %v", v.name, len(got.Elements), len(v.ids), got.Oddities)
		}
	}
	t.Logf("%d variants, %d elements", len(variants()), elements)
}

func TestTheTableHasEveryElementOfTheVariants(t *testing.T) {
	for _, v := range variants() {
		for _, id := range v.ids {
			if _, ok := tables().elements[id]; !ok && id[0] != 'Z' {
				t.Errorf("%s is not in the table", id)
			}
		}
	}
	if len(Elements()) < 75 || len(tables().issuers) < 60 {
		t.Errorf("%d elements, %d issuers", len(Elements()), len(tables().issuers))
	}
}

// damage overwrites n codewords, each with another of its row, and returns how
// many the symbol has. Every codeword is 17 modules wide; the first two of a
// row are the start pattern and the row indicator, the last two likewise
// (ISO/IEC 15438 §5.3), and stay: they are not covered by error correction.
func damage(img *image.Gray, module, n int, r *rand.Rand) int {
	const quiet = 2
	wide, high := img.Rect.Dx()/module-2*quiet, img.Rect.Dy()/module-2*quiet
	columns := (wide-1)/17 - 4
	at := func(x, y int) int {
		return (quiet+y)*module*img.Stride + (quiet+x)*module
	}
	// A row of codewords is several modules high: rows that look the same.
	same := func(a, b int) bool {
		for x := range wide {
			if img.Pix[at(x, a)] != img.Pix[at(x, b)] {
				return false
			}
		}
		return true
	}
	var rows [][2]int
	for y := 0; y < high; {
		end := y + 1
		for end < high && same(y, end) {
			end++
		}
		rows = append(rows, [2]int{y, end})
		y = end
	}
	total := columns * len(rows)
	for _, k := range r.Perm(total)[:min(n, total)] {
		row, col := rows[k/columns], 17*(2+k%columns)
		from := 17 * (2 + (k+1+r.IntN(columns-1))%columns)
		for y := row[0] * module; y < row[1]*module; y++ {
			line := img.Pix[(quiet*module+y)*img.Stride:]
			copy(line[(quiet+col)*module:(quiet+col+17)*module], slices.Clone(line[(quiet+from)*module:(quiet+from+17)*module]))
		}
	}
	return total
}

func TestSymbolsAreReadWithDamageUpToTheErrorCorrectionLimit(t *testing.T) {
	v := variants()[1]
	want := v.licence()
	for _, level := range []int{2, 3, 4, 5} {
		limit := (1<<(level+1) - 2) / 2 // ISO/IEC 15438 §5.7.2: e + 2t ≤ k − 2
		readable, beyondWrong := 0, 0
		const trials = 6
		for i := range trials {
			r := rand.New(rand.NewPCG(uint64(level), uint64(i)))
			img, err := EncodePDF417(want.Format(v.ids), level, 3)
			if err != nil {
				t.Fatal(err)
			}
			damage(img, 3, limit, r)
			if ss := read(t, img); len(ss) == 1 && string(ss[0].Bytes) == string(want.Format(v.ids)) {
				readable++
			}
			// Beyond the limit nothing may be read rather than something else.
			img, err = EncodePDF417(want.Format(v.ids), level, 3)
			if err != nil {
				t.Fatal(err)
			}
			damage(img, 3, 2*limit+6, r)
			for _, s := range read(t, img) {
				if string(s.Bytes) != string(want.Format(v.ids)) {
					beyondWrong++
				}
			}
		}
		t.Logf("level %d: %d of %d read with %d codewords replaced", level, readable, trials, limit)
		if readable < trials || beyondWrong > 0 {
			t.Errorf("level %d: %d of %d read with %d codewords replaced, %d wrong contents beyond the limit", level, readable, trials, limit, beyondWrong)
		}
	}
}

func TestMaliciousPayloadsAreFindingsAndNothingElse(t *testing.T) {
	v := variants()[1]
	for _, c := range []struct {
		what, id, value, odd string
	}{
		{"escape sequences in a name", "DCS", "DOE\x1b[2J\x07", OddControl},
		{"a NUL in a name", "DAC", "JO\x00HN", OddControl},
		{"printf directives", "DCS", "%s%s%s%n", OddPercent},
		{"padded printf directives", "DAG", "%08x.%08x", OddPercent},
		{"lookup expressions", "DAC", "${jndi:ldap://x}", OddPercent},
		{"an overlong name", "DCS", strings.Repeat("A", 900), OddOversized},
		{"a date that can not be", "DBB", "02301988", OddDate},
		{"another jurisdiction than the issuer's", "DAJ", "CA", OddRegion},
		{"another country than the issuer's", "DCG", "CAN", OddRegion},
		{"bidirectional overrides", "DCS", "DOE\u202eEOD", OddControl},
	} {
		l := v.licence()
		l.Elements[c.id] = c.value
		got, err := ParseAAMVA(l.Format(v.ids))
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if !slices.Contains(got.Oddities, Oddity{c.odd, c.id}) || !(Oddity{Code: c.odd}).Suspicious() {
			t.Errorf("%s: oddities %v", c.what, got.Oddities)
		}
		for id, v := range got.Elements {
			if printable(v) != v {
				t.Errorf("%s: %s keeps control characters", c.what, id)
			}
		}
	}
	l := v.licence()
	b := append(l.Format(v.ids), "\nDCSOTHER\r"...)
	got, err := ParseAAMVA(b)
	if err != nil || !slices.Contains(got.Oddities, Oddity{OddDuplicate, "DCS"}) || got.Elements["DCS"] != l.Elements["DCS"] {
		t.Errorf("second name: %v %v", got, err)
	}
	var many strings.Builder
	many.Write(l.Format(v.ids))
	for a := 'A'; a <= 'Z'; a++ {
		for c := 'A'; c <= 'Z'; c++ {
			fmt.Fprintf(&many, "\nZ%c%cx", a, c)
		}
	}
	if got, err = ParseAAMVA([]byte(many.String())); err != nil || len(got.Elements) > maxElements || !slices.Contains(got.Oddities, Oddity{Code: OddTooMany}) {
		t.Errorf("many elements: %v", err)
	}
}

func TestNoNumberOfHarmlessOdditiesHidesASuspiciousOne(t *testing.T) {
	var b strings.Builder
	b.WriteString("@ANSI 636015090002DL00410278DLDAJCAX\n") // a Texan card of California
	n := 1
	for _, e := range Elements() {
		if e.Max > 4 && e.Kind != "date" && n < 40 && e.ID != "DAO" && e.ID != "DCG" {
			b.WriteString(e.ID + strings.Repeat("A", e.Max+1) + "\n")
			n++
		}
	}
	for i := 0; n < maxElements; i++ {
		if id := fmt.Sprintf("D%c%c", 'K'+i/26, 'A'+i%26); full(id)[id] == "" {
			b.WriteString(id + "x\n")
			n++
		}
	}
	first, err := ParseAAMVA([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(first.Oddities, Oddity{OddRegion, "DAJ"}) {
		t.Errorf("among %d oddities the wrong jurisdiction is none", len(first.Oddities))
	}
	for range 8 {
		if again, _ := ParseAAMVA([]byte(b.String())); !slices.Equal(again.Oddities, first.Oddities) {
			t.Fatal("the same symbol has other oddities at every reading")
		}
	}
}

func TestElementsWithoutSeparatorsAreSplitAndMarked(t *testing.T) {
	l, err := ParseAAMVA([]byte("@ANSI 636015030002DL00410217ZT02580015DLDCACDCBNONEDBA08042015DCSDOEDCTJOHNDBB02081977DBC1DAG5929 N ROCK STDAIAUSTINDAJTXDAQ38884194DCGUSA"))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"DCA": "C", "DCS": "DOE", "DCT": "JOHN", "DBB": "02081977", "DAG": "5929 N ROCK ST", "DAQ": "38884194", "DCG": "USA"} {
		if l.Elements[id] != want {
			t.Errorf("%s: %q, want %q", id, l.Elements[id], want)
		}
	}
	if !slices.Contains(l.Oddities, Oddity{Code: OddSeparators}) {
		t.Errorf("oddities %v", l.Oddities)
	}
}

func TestAgeThresholdsMustFitTheDateOfBirth(t *testing.T) {
	for _, c := range []struct {
		birth, of18, of21 string
		odd               []string
	}{
		{"02291988", "02282006", "02282009", nil}, // a day early, on 28 February
		{"02291988", "03012006", "03012009", nil},
		{"06061990", "06062008", "06062011", nil},
		{"06061990", "06062008", "06062009", []string{"DDJ"}},
		{"06061986", "06062008", "06062011", []string{"DDH", "DDJ"}}, // the birth was altered alone
		{"06061990", "00000000", "", nil},
		{"NONE", "06062008", "", nil},
	} {
		l, err := ParseAAMVA([]byte("@\n\x1e\rANSI 636000100002DL00410278DLDAQT64235789\nDBB" + c.birth + "\nDDH" + c.of18 + "\nDDJ" + c.of21 + "\r"))
		if err != nil {
			t.Fatal(err)
		}
		var odd []string
		for _, o := range l.Oddities {
			if o.Code == OddAge {
				odd = append(odd, o.Element)
				if !o.Suspicious() {
					t.Error("not suspicious")
				}
			}
		}
		if !slices.Equal(odd, c.odd) {
			t.Errorf("%+v: %v", c, odd)
		}
	}
}
