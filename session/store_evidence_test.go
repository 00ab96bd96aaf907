package session

import (
	"errors"
	"fmt"
	"testing"
)

func TestAnAttemptKeepsABoundedNumberOfPhotosAndIsJudgedOnTheNewest(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, consent(), nil))
		put := func(n int) error {
			kind := []string{"document_front", "selfie"}[n%2]
			_, err := s.PutEvidence(ctx, client, Evidence{Session: ses.ID, Kind: kind, Object: fmt.Sprintf("obj_%d", n), SHA256: "00", Size: 3})
			return err
		}
		for n := range MaxPhotos {
			ok(t, put(n))
		}
		if err := put(MaxPhotos); !errors.Is(err, ErrPhotosFull) {
			t.Errorf("one more photo: %v", err)
		}
		if n := must[int](t)(s.Photos(ctx, ses.ID, 1)); n != MaxPhotos {
			t.Errorf("%d photos", n)
		}
		es := must[[]Evidence](t)(s.Evidence(ctx, ses.ID, 1))
		if len(es) != 2 || es[0].Object != fmt.Sprintf("obj_%d", MaxPhotos-2) || es[1].Object != fmt.Sprintf("obj_%d", MaxPhotos-1) {
			t.Errorf("%+v", es)
		}
		verifyLog(t, s)
	})
}
