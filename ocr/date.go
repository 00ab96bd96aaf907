package ocr

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
	"unicode"
)

// parseDate finds the date that a printed text shows, as YYYY-MM-DD. It knows
// day month year with numbers or month names in the catalogue's languages
// (also doubled, "14 FEB/FEV 1980"), year month day, and US month day year:
// where a date in digits can be read both ways, monthFirst decides. Two-digit
// years are taken as the century that is not later than ten years after now's
// year for issue and expiry; callers who need another century decide from the
// MRZ.
//
// ok is false when the text shows no possible date: a guess would be worse.
func parseDate(text string, monthFirst bool) (iso string, ok bool) {
	var nums []int
	var digits []int // count of digits of each number
	months, monthAt := uint16(0), 0
	for _, tok := range dateTokens(text) {
		tok = asDigits(tok)
		if isDigits(tok) {
			n := 0
			for _, r := range tok {
				n = n*10 + int(r-'0')
			}
			if len(tok) == 8 { // 19800214, 14021980 or 02141980
				if y := n / 10000; y > 1900 && y < 2100 {
					return valid(y, n/100%100, n%100)
				}
				return inOrder(n%10000, n/1000000, n/10000%100, monthFirst)
			}
			nums, digits = append(nums, n), append(digits, len(tok))
			continue
		}
		// Doubled, the two languages have to mean the same month: "LIP/JUL".
		switch m := monthsOf(tok); {
		case m == 0:
		case months == 0:
			months, monthAt = m, len(nums)
		case months&m != 0:
			months &= m
		}
	}
	month := 0
	if months != 0 {
		if bits.OnesCount16(months) > 1 {
			return "", false // June in one language, July in another
		}
		month = bits.TrailingZeros16(months) + 1
	}
	switch {
	case month > 0 && len(nums) == 2:
		switch {
		case digits[0] == 4 && monthAt == 1: // 1980 FEB 14
			return valid(nums[0], month, nums[1])
		default: // 14 FEB 1980, FEB 14 1980
			return valid(fullYear(nums[1], digits[1]), month, nums[0])
		}
	case month == 0 && len(nums) == 3:
		switch {
		case digits[0] == 4:
			return valid(nums[0], nums[1], nums[2])
		case digits[2] == 4 || digits[2] == 2:
			return inOrder(fullYear(nums[2], digits[2]), nums[0], nums[1], monthFirst)
		}
	}
	return "", false
}

// inOrder takes two numbers for day and month in the usual order of the
// document, in the other one where that gives no date.
func inOrder(year, a, b int, monthFirst bool) (string, bool) {
	if monthFirst {
		a, b = b, a
	}
	if iso, ok := valid(year, b, a); ok {
		return iso, true
	}
	return valid(year, a, b)
}

// asDigits takes a run of digits with a misread one among them for digits:
// "2O02", "l4".
func asDigits(tok string) string {
	n := digits(tok)
	if n == 0 || n == len(tok) || len(tok) > 8 {
		return tok
	}
	out := lookalikes.Replace(tok)
	if isDigits(out) {
		return out
	}
	return tok
}

var lookalikes = strings.NewReplacer("o", "0", "q", "0", "d", "0", "i", "1", "l", "1", "z", "2", "s", "5", "b", "8")

func isDigits(s string) bool { return s != "" && digits(s) == len(s) }

// dateTokens splits into runs of digits and runs of letters.
func dateTokens(s string) []string {
	var out []string
	var cur []rune
	kind := 0
	flush := func() {
		if len(cur) > 0 {
			out = append(out, string(cur))
		}
		cur = cur[:0]
	}
	text := []rune(fold(s))
	for i, r := range text {
		k := 0
		switch {
		case r >= '0' && r <= '9':
			k = 1
		case unicode.IsLetter(r):
			k = 2
		}
		// A letter that looks like a digit stays with the digits around it.
		if k == 2 && kind != 2 && strings.ContainsRune("oqdilzsb", r) {
			letter := i+1 < len(text) && unicode.IsLetter(text[i+1])
			number := i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '9'
			if number || kind == 1 && !letter {
				k = 1
			}
		}
		if k != kind {
			flush()
		}
		if k != 0 && len(cur) < 12 {
			cur = append(cur, r)
		}
		kind = k
		if len(out) > 12 {
			return out
		}
	}
	flush()
	return out
}

// monthsOf are the months that a word may mean, a bit for each. The longest
// beginning counts: "marraskuu" is November.
func monthsOf(tok string) (out uint16) {
	longest := 0
	for m, names := range catalogue().Months {
		for _, n := range names {
			if tok != n && (len(n) < 3 || !strings.HasPrefix(tok, n)) || len(n) < longest {
				continue
			}
			if len(n) > longest {
				longest, out = len(n), 0
			}
			out |= 1 << m
		}
	}
	return out
}

func fullYear(y, digits int) int {
	if digits > 2 {
		return y
	}
	if y > (yearNow()+10)%100 {
		return 1900 + y
	}
	return 2000 + y
}

func valid(y, m, d int) (string, bool) {
	if y < 1900 || y > 2100 || m < 1 || m > 12 || d < 1 || d > 31 {
		return "", false
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	if t.Day() != d {
		return "", false
	}
	return fmt.Sprintf("%04d-%02d-%02d", y, m, d), true
}
