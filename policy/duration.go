package policy

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that also reads days ("30d").
type Duration time.Duration

// ParseDuration reads "36h", "90m" or whole days such as "30d".
func ParseDuration(s string) (Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("duration %q: want a number of days such as 30d", s)
		}
		return Duration(time.Duration(n) * 24 * time.Hour), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("duration %q: want days such as 30d, or 36h, or 90m", s)
	}
	return Duration(d), nil
}

// UnmarshalYAML reads the text form.
func (d *Duration) UnmarshalYAML(b []byte) error {
	v, err := ParseDuration(strings.Trim(strings.TrimSpace(string(b)), `"'`))
	*d = v
	return err
}

// String is the form that a policy file has: whole days where they are.
func (d Duration) String() string {
	if day := 24 * time.Hour; d != 0 && time.Duration(d)%day == 0 {
		return strconv.Itoa(int(time.Duration(d)/day)) + "d"
	}
	return time.Duration(d).String()
}

// MarshalJSON writes the text form of time.Duration.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}
