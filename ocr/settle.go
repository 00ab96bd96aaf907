package ocr

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// longer: the line begins as the page's reading does and goes on, as far as
// letters without diacritics tell.
func longer(name, line, page string) bool {
	if kind := catalogue().Fields[name].Kind; kind != "text" && kind != "name" {
		return false
	}
	a, b := plainText(line), plainText(page)
	return len(a) >= len(b)+3 && strings.HasPrefix(a, b)
}

// plainText is a text in what the engine without diacritics writes.
func plainText(s string) string { return strings.ReplaceAll(fold(s), " ", "") }

// sure is the confidence of a single reading from which it needs no other.
const sure = 0.8

// settled: two readings agree, or one is sure of itself and is of the engine
// that knows all letters.
func (f *Field) settled() bool {
	n := 0
	for _, r := range f.Readings {
		if r.Value == f.Value {
			n++
		}
	}
	return n >= 2 || f.Confidence >= sure && catalogue().Fields[f.Name].Kind != "number"
}

// settle takes the value that most readings speak for. Readings of the names
// engine count twice where letters are read: the other one can not write
// diacritics and is as sure without them.
func (f *Field) settle() {
	votes, best := map[string]float64{}, map[string]float64{}
	for _, r := range f.Readings {
		w := r.Confidence
		if kind := catalogue().Fields[f.Name].Kind; (kind == "name" || kind == "text") && strings.HasPrefix(r.How, "names") {
			w = 1.5 * max(w, 0.3)
		}
		if kind := catalogue().Fields[f.Name].Kind; kind == "code" && r.How != "page" {
			w *= 1.2 // single letters stand better alone
		}
		votes[r.Value] += w * w // one sure reading outweighs two doubtful ones
		best[r.Value] = max(best[r.Value], r.Confidence)
	}
	for _, r := range f.Readings { // in order, so that equal votes have one winner
		if votes[r.Value] > votes[f.Value] {
			f.Value = r.Value
		}
	}
	f.Confidence = best[f.Value]
	if kind := catalogue().Fields[f.Name].Kind; kind == "name" || kind == "text" {
		f.settleMarks()
	}
}

// settleMarks takes the letters' marks from the readings of the engine that knows
// them: the other one reads Å as A and is sure of it. Marks that two readings
// agree on make the reading as sure as the letters are.
func (f *Field) settleMarks() {
	votes, times := map[string]float64{}, map[string]int{}
	marked, certain := "", 0.0
	for _, r := range f.Readings {
		if unmarked(r.Value) != unmarked(f.Value) {
			continue
		}
		certain = max(certain, r.Confidence)
		if !r.marks() {
			continue
		}
		votes[r.Value] += r.Confidence
		if times[r.Value]++; marked == "" || votes[r.Value] > votes[marked] {
			marked = r.Value
		}
	}
	if marked == "" {
		f.settleWords()
		return
	}
	f.Value, f.Confidence = marked, 0
	for _, r := range f.Readings {
		if r.Value == marked {
			f.Confidence = max(f.Confidence, r.Confidence)
		}
	}
	if times[marked] > 1 {
		f.Confidence = max(f.Confidence, min(certain, sure))
	}
}

// settleWords does the same word by word, where no reading of the whole has the
// same letters. The result is no reading, and as sure as one in doubt.
func (f *Field) settleWords() {
	words := strings.Fields(f.Value)
	for i, w := range words {
		votes := map[string]float64{}
		for _, r := range f.Readings {
			if other := strings.Fields(r.Value); r.marks() && len(other) == len(words) && unmarked(other[i]) == unmarked(w) {
				if votes[other[i]] += r.Confidence; votes[other[i]] > votes[words[i]] {
					words[i] = other[i]
				}
			}
		}
	}
	if joined := strings.Join(words, " "); joined != f.Value {
		f.Value, f.Confidence = joined, min(f.Confidence, sure-0.01)
	}
}

// marks: the reading is of the engine that knows letters with marks, and not a
// mere guess.
func (r Reading) marks() bool { return strings.HasPrefix(r.How, "names") && r.Confidence >= 0.1 }

// unmarked is what two readings have in common that differ in marks and spaces
// alone.
func unmarked(s string) string { return strings.ReplaceAll(bare(s), " ", "") }

// bare is a text with its letters' diacritics taken off.
func bare(s string) string {
	out := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(s))
	return strokes.Replace(out)
}

// strokes are the letters that are no others with marks, as the engine without
// them reads them.
var strokes = strings.NewReplacer("Ø", "O", "ø", "o", "Ł", "L", "ł", "l", "Þ", "P", "Đ", "D", "Ð", "D", "ı", "i", "’", "'", "ß", "B")
