package access

import "time"

// Wrong passwords in a row that cost nothing, and the longest wait, which a
// colleague's nonsense can cost at most. At CloseAfter in a row an account takes
// no password until it gets a new one (SP 800-63B-4, section 3.2.2: no more than
// 100); whoever wants to close it for somebody else has to try for 21 hours.
const (
	FreeTries = 8
	maxWait   = 15 * time.Minute
	baseWait  = 2 * time.Second

	CloseAfter = 100
)

// Backoff is how long to wait after so many wrong passwords in a row.
func Backoff(wrong int) time.Duration {
	if wrong <= FreeTries {
		return 0
	}
	n := wrong - FreeTries - 1
	if n > 20 {
		return maxWait
	}
	return min(maxWait, baseWait<<n)
}

// AddressTries is how many wrong passwords an address has free: an office
// behind one address shares them.
const AddressTries = 40

// AddressBackoff is Backoff for an address.
func AddressBackoff(wrong int) time.Duration {
	if wrong <= AddressTries {
		return 0
	}
	return Backoff(wrong - AddressTries + FreeTries)
}
