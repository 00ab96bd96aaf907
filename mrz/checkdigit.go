package mrz

// value gives 0-9 for digits, 10-35 for letters, 0 for the filler and -1 for
// anything else (9303-3 §4.9).
var value = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = int8(c - '0')
	}
	for c := 'A'; c <= 'Z'; c++ {
		t[c] = int8(c-'A') + 10
	}
	t['<'] = 0
	return t
}()

// digitSum adds weighted values modulo 10, starting at position n (0, 1, 2) of
// the 7-3-1 cycle, and returns the sum and the next position.
func digitSum(sum, n int, s string) (int, int) {
	for i := 0; i < len(s); i++ {
		v := int(value[s[i]])
		switch n {
		case 0:
			sum += 7 * v
			n = 1
		case 1:
			sum += 3 * v
			n = 2
		default:
			sum += v
			n = 0
		}
	}
	return sum % 10, n
}

// CheckDigit returns the check digit of s, the weights 7, 3, 1 repeating
// (9303-3 §4.9). s may hold A-Z, 0-9 and <.
func CheckDigit(s string) (byte, error) {
	for i := 0; i < len(s); i++ {
		if value[s[i]] < 0 {
			return 0, &Error{Code: CodeCharacter, Column: i + 1, Detail: "only A-Z, 0-9 and < have a check digit"}
		}
	}
	sum, _ := digitSum(0, 0, s)
	return byte('0' + sum), nil
}

// holds reports whether the printed digit is the check digit of the parts,
// read as one string.
func holds(printed byte, parts ...string) Check {
	sum, n := 0, 0
	for _, p := range parts {
		sum, n = digitSum(sum, n, p)
	}
	if printed == byte('0'+sum) {
		return Passed
	}
	return Failed
}
