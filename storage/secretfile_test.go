package storage

import (
	"io/fs"
	"testing"
)

func TestAKeyFileMayBeReadByAGroupOnlyWhenItIsRootsAndWeAreNot(t *testing.T) {
	for _, x := range []struct {
		mode        fs.FileMode
		owner, self int
		want        bool
	}{
		{0o600, 10001, 10001, true},
		{0o400, 10001, 10001, true},
		{0o640, 10001, 10001, false},
		{0o600, 0, 0, true},
		{0o640, 0, 0, false},
		{0o440, 0, 10001, true}, // a Secret that is mounted with an fsGroup
		{0o640, 0, 10001, true},
		{0o660, 0, 10001, false},
		{0o444, 0, 10001, false},
		{0o540, 0, 10001, false},
	} {
		if got := keptSecret(x.mode, x.owner, x.self); got != x.want {
			t.Errorf("mode %04o of user %d, read by user %d: %v", x.mode, x.owner, x.self, got)
		}
	}
}
