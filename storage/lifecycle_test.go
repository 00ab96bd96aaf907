package storage_test

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/storage"
)

var lifecycleRules = []storage.LifecycleRule{{Class: storage.CaptureImage, After: 60 * 24 * time.Hour}, {Class: storage.Consent, After: 100*24*time.Hour + time.Second}}

func TestAServerWithoutLifecycleRulesIsSaidSo(t *testing.T) {
	_, c := newBucket(t, testserver.S3(t), false)
	c.Lifecycle = true
	b := openS3(t, c)
	if err := b.ApplyLifecycle(ctx, lifecycleRules); !errors.Is(err, storage.ErrNoLifecycle) {
		t.Fatalf("versitygw has none: %v", err)
	}
	c.Lifecycle = false
	if err := openS3(t, c).ApplyLifecycle(ctx, lifecycleRules); err == nil || !strings.Contains(err.Error(), "storage.s3.lifecycle") {
		t.Fatalf("a store that tags nothing: %v", err)
	}
}

func TestAHeldObjectLosesTheTagThatLifecycleRulesLookFor(t *testing.T) {
	a, c := newBucket(t, testserver.S3(t), false)
	c.Lifecycle = true
	keys, err := storage.OpenOrCreateKeyFile(t.TempDir() + "/keys")
	if err != nil {
		t.Fatal(err)
	}
	v := storage.NewVault(openS3(t, c), keys, newMemory(), time.Now)
	o := put(t, v, "ses_a", "photo", time.Now().Add(time.Hour))
	tagged := func() bool {
		t.Helper()
		got, err := a.GetObjectTagging(context.Background(), c.Bucket, o.Key, minio.GetObjectTaggingOptions{})
		if err != nil {
			if minio.ToErrorResponse(err).Code == "NoSuchTagSet" {
				return false
			}
			t.Fatal(err)
		}
		return got.ToMap()["proofline-retention"] == "expire"
	}
	if !tagged() {
		t.Fatal("stored without the tag")
	}
	for _, held := range []bool{true, true, false} {
		if err := v.Protect(ctx, "ses_a", held); err != nil || tagged() == held {
			t.Fatalf("held %v: tagged %v, %v", held, tagged(), err)
		}
	}
	if got, err := v.Read(ctx, o, 10); err != nil || string(got) != "photo" {
		t.Fatalf("%q, %v", got, err)
	}
}

// withLifecycle adds the two requests about lifecycle rules to a server that has
// none, as the S3 API describes them.
type withLifecycle struct {
	next http.RoundTripper
	xml  string
}

func (w *withLifecycle) RoundTrip(r *http.Request) (*http.Response, error) {
	if !r.URL.Query().Has("lifecycle") {
		return w.next.RoundTrip(r)
	}
	reply := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{"Content-Type": {"application/xml"}},
			ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}, nil
	}
	switch r.Method {
	case http.MethodPut:
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		w.xml = string(b)
		return reply(200, "")
	case http.MethodGet:
		if w.xml == "" {
			return s3Error(404, "NoSuchLifecycleConfiguration")(r)
		}
		return reply(200, w.xml)
	}
	return reply(405, "")
}

func TestLifecycleRulesAreWrittenBesideThoseOfOthers(t *testing.T) {
	_, c := newBucket(t, testserver.S3(t), false)
	w := &withLifecycle{next: http.DefaultTransport, xml: `<LifecycleConfiguration><Rule><ID>theirs</ID><Status>Enabled</Status><Filter><Prefix>logs/</Prefix></Filter><Expiration><Days>9</Days></Expiration></Rule>` +
		`<Rule><ID>proofline-outcome</ID><Status>Enabled</Status><Filter><Prefix>outcome/</Prefix></Filter><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>`}
	c.Transport, c.Lifecycle = w, true
	b := openS3(t, c)
	dry, err := b.LifecycleXML(ctx, lifecycleRules)
	if err != nil || strings.Contains(w.xml, "capture_image") {
		t.Fatalf("showing wrote: %v %s", err, w.xml)
	}
	for range 2 {
		if err := b.ApplyLifecycle(ctx, lifecycleRules); err != nil {
			t.Fatal(err)
		}
	}
	var got struct {
		Rules []struct {
			ID, Status string
			Filter     struct {
				Prefix string
				And    struct {
					Prefix string
					Tag    []struct{ Key, Value string }
				}
			}
			Expiration                     struct{ Days int }
			NoncurrentVersionExpiration    struct{ NoncurrentDays int }
			AbortIncompleteMultipartUpload struct{ DaysAfterInitiation int }
		} `xml:"Rule"`
	}
	if err := xml.Unmarshal([]byte(w.xml), &got); err != nil {
		t.Fatal(err)
	}
	byID := map[string]int{}
	for i, r := range got.Rules {
		byID[r.ID] = i
	}
	if len(got.Rules) != 4 || got.Rules[byID["theirs"]].Expiration.Days != 9 {
		t.Fatalf("%+v", got.Rules)
	}
	photos, consent := got.Rules[byID["proofline-capture_image"]], got.Rules[byID["proofline-consent"]]
	if photos.Expiration.Days != 60 || photos.Filter.And.Prefix != "capture_image/" || len(photos.Filter.And.Tag) != 1 ||
		photos.Filter.And.Tag[0].Key != "proofline-retention" || photos.NoncurrentVersionExpiration.NoncurrentDays != 1 || consent.Expiration.Days != 101 {
		t.Fatalf("%+v\n%+v", photos, consent)
	}
	if r := got.Rules[byID["proofline-unfinished-uploads"]]; r.AbortIncompleteMultipartUpload.DaysAfterInitiation != 2 {
		t.Fatalf("%+v", r)
	}
	if !strings.Contains(string(dry), "<Days>60</Days>") {
		t.Fatalf("%s", dry)
	}
	if err := b.ApplyLifecycle(ctx, []storage.LifecycleRule{{Class: storage.Consent, After: time.Hour}}); err == nil {
		t.Fatal("a rule of an hour was written")
	}
}
