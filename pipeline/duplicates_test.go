package pipeline

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// downBlobs are a region that stores and then does not answer.
type downBlobs struct {
	storage.Blobs
	down  bool
	asked int
}

func (d *downBlobs) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if d.down {
		d.asked++
		return nil, storage.ErrUnavailable
	}
	return d.Blobs.Get(ctx, key)
}

func TestAForeignTemplateThatCanNotBeReadHoldsNoCaseUp(t *testing.T) {
	w := newWorld(t, "")
	rules := func(more string) *policy.Policy {
		p, err := policy.Parse([]byte(strings.Replace(string(policy.DefaultYAML()), "\n  thresholds:\n", "\n  duplicates: {document_number: true, face: true, window: 30d, max: 100}\n"+more+"  thresholds:\n", 1)))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	own, abroad := rules(""), rules("  residency: eu\n")
	w.policy = own
	fs, err := storage.OpenFS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	region := &downBlobs{Blobs: fs}
	whole := w.vault.WithRegion("eu", region)
	look := func(vault *storage.Vault, ref string, p *policy.Policy, e []float32) Likeness {
		t.Helper()
		c := w.config()
		c.Vault = vault
		k, err := NewWorker(c)
		if err != nil {
			t.Fatal(err)
		}
		ses, err := w.store.Get(ctx, w.submit(func(n *session.New) { n.ExternalRef = ref }))
		if err != nil {
			t.Fatal(err)
		}
		o, err := k.others(ses.Context(), ses, p)
		if err != nil || o == nil {
			t.Fatal(o, err)
		}
		l, err := o.Face(ctx, "m1", e)
		if err != nil {
			t.Fatalf("%s: %v", ref, err)
		}
		return l
	}
	look(whole, "anna", own, []float32{0, 1, 0})
	look(whole, "berta", abroad, []float32{1, 0, 0})
	look(whole, "carla", abroad, []float32{1, 0, 0})
	if l := look(whole, "dora", own, []float32{1, 0, 0}); l.Compared != 3 || l.Unread != 0 || l.Cosine < 0.99 {
		t.Errorf("with all regions: %+v", l)
	}
	region.down = true
	if l := look(whole, "emma", own, []float32{1, 0, 0}); l.Compared != 2 || l.Unread != 2 || region.asked != 1 {
		t.Errorf("a region is down: %+v, asked %d times", l, region.asked)
	}
	if l := look(w.vault, "fina", own, []float32{1, 0, 0}); l.Compared != 3 || l.Unread != 2 {
		t.Errorf("a region was taken out of the configuration: %+v", l)
	}
}
