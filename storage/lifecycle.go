package storage

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/lifecycle"
	"github.com/minio/minio-go/v7/pkg/tags"
)

// The lifecycle rules of a bucket are a second net below the sweeper: should
// Proofline not run any more, the server deletes what is long past its time. The
// rules apply only to blobs with a tag, which a legal hold takes away.
const (
	lifecycleTag    = "proofline-retention"
	lifecycleExpire = "expire"
	lifecycleID     = "proofline-" // begins our rules' ids
	unfinished      = "unfinished-uploads"
	day             = 24 * time.Hour
)

// ErrNoLifecycle tells that the server knows no lifecycle rules.
var ErrNoLifecycle = errors.New("the server has no lifecycle rules")

// LifecycleRule has the server delete blobs of a class that are older than After.
type LifecycleRule struct {
	Class Class
	After time.Duration
}

// LifecycleXML is the bucket configuration that ApplyLifecycle writes, with the
// rules that the bucket has beside Proofline's own.
func (s *S3) LifecycleXML(ctx context.Context, rules []LifecycleRule) ([]byte, error) {
	c, err := s.lifecycle(ctx, rules)
	if err != nil {
		return nil, err
	}
	return marshalLifecycle(c)
}

// RulesXML is LifecycleXML for a bucket without rules of its own; it asks no
// server.
func RulesXML(s *S3, rules []LifecycleRule) ([]byte, error) {
	c := lifecycle.NewConfiguration()
	if err := s.addRules(c, rules); err != nil {
		return nil, err
	}
	return marshalLifecycle(c)
}

func marshalLifecycle(c *lifecycle.Configuration) ([]byte, error) {
	var b bytes.Buffer
	e := xml.NewEncoder(&b)
	e.Indent("", "  ")
	if err := e.Encode(c); err != nil {
		return nil, fmt.Errorf("encode lifecycle rules: %w", err)
	}
	return append(b.Bytes(), '\n'), nil
}

// ApplyLifecycle replaces Proofline's own rules of the bucket and keeps all
// others. ErrNoLifecycle when the server has none.
func (s *S3) ApplyLifecycle(ctx context.Context, rules []LifecycleRule) error {
	c, err := s.lifecycle(ctx, rules)
	if err != nil {
		return err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.client.SetBucketLifecycle(ctx, s.bucket, c); err != nil {
		return fmt.Errorf("write lifecycle rules of bucket %s: %w", s.bucket, lifecycleFailure(caller, err))
	}
	// A server that takes the rules and forgets them is one without.
	got, err := s.client.GetBucketLifecycle(ctx, s.bucket)
	if err != nil {
		return fmt.Errorf("read back lifecycle rules of bucket %s: %w", s.bucket, lifecycleFailure(caller, err))
	}
	have := map[string]bool{}
	for _, r := range got.Rules {
		have[r.ID] = r.Status == "Enabled"
	}
	for _, r := range c.Rules {
		if slices.Contains(s.ruleIDs(), r.ID) && !have[r.ID] {
			return fmt.Errorf("write lifecycle rules of bucket %s: rule %s was not kept: %w", s.bucket, r.ID, ErrNoLifecycle)
		}
	}
	return nil
}

func (s *S3) lifecycle(ctx context.Context, rules []LifecycleRule) (*lifecycle.Configuration, error) {
	if s.tags == nil {
		return nil, errors.New("lifecycle rules find blobs by a tag, and this store is not set to write it: set storage.s3.lifecycle")
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	out := lifecycle.NewConfiguration()
	have, err := s.client.GetBucketLifecycle(ctx, s.bucket)
	if err != nil && minio.ToErrorResponse(err).Code != "NoSuchLifecycleConfiguration" {
		return nil, fmt.Errorf("read lifecycle rules of bucket %s: %w", s.bucket, lifecycleFailure(caller, err))
	}
	if have != nil {
		own := s.ruleIDs()
		for _, r := range have.Rules {
			if !slices.Contains(own, r.ID) {
				out.Rules = append(out.Rules, r)
			}
		}
	}
	return out, s.addRules(out, rules)
}

// ruleID names a rule; it holds the prefix, as two installations may share a
// bucket.
func (s *S3) ruleID(what string) string {
	return lifecycleID + strings.ReplaceAll(s.prefix, "/", ".") + what
}

func (s *S3) ruleIDs() []string {
	out := []string{s.ruleID(unfinished)}
	for _, c := range Classes {
		out = append(out, s.ruleID(string(c)))
	}
	return out
}

func (s *S3) addRules(out *lifecycle.Configuration, rules []LifecycleRule) error {
	for _, r := range rules {
		if !r.Class.Valid() || r.After < day {
			return fmt.Errorf("lifecycle rule of %q after %v: want a data class and at least a day", r.Class, r.After)
		}
		days := lifecycle.ExpirationDays((r.After + day - 1) / day)
		prefix := s.prefix + string(r.Class) + "/"
		out.Rules = append(out.Rules, lifecycle.Rule{
			ID: s.ruleID(string(r.Class)), Status: "Enabled",
			RuleFilter: lifecycle.Filter{And: lifecycle.And{Prefix: prefix, Tags: []lifecycle.Tag{{Key: lifecycleTag, Value: lifecycleExpire}}}},
			Expiration: lifecycle.Expiration{Days: days},
			// In a bucket with versions the rule above only hides the bytes.
			NoncurrentVersionExpiration: lifecycle.NoncurrentVersionExpiration{NoncurrentDays: 1},
		})
	}
	if len(rules) > 0 {
		out.Rules = append(out.Rules, lifecycle.Rule{
			ID: s.ruleID(unfinished), Status: "Enabled", RuleFilter: lifecycle.Filter{Prefix: s.prefix},
			AbortIncompleteMultipartUpload: lifecycle.AbortIncompleteMultipartUpload{DaysAfterInitiation: 2},
		})
	}
	return nil
}

func lifecycleFailure(ctx context.Context, err error) error {
	switch r := minio.ToErrorResponse(err); r.Code {
	case "NotImplemented", "MethodNotAllowed", "XNotImplemented":
		return fmt.Errorf("%w: %w", ErrNoLifecycle, err)
	}
	return serverFailure(ctx, err)
}

// Protect takes the tag away that the lifecycle rules look for, or puts it back:
// a legal hold beats them, too.
func (s *S3) Protect(ctx context.Context, key string, on bool) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if s.tags == nil {
		return nil
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if on {
		if err := s.client.RemoveObjectTagging(ctx, s.bucket, s.prefix+key, minio.RemoveObjectTaggingOptions{}); err != nil {
			return s.fail(caller, "protect", key, err)
		}
		return nil
	}
	t, err := tags.NewTags(s.tags, true)
	if err == nil {
		err = s.client.PutObjectTagging(ctx, s.bucket, s.prefix+key, t, minio.PutObjectTaggingOptions{})
	}
	if err != nil {
		return s.fail(caller, "unprotect", key, err)
	}
	return nil
}

// Protect takes a session's objects out of the store's own lifecycle rules, or
// puts them under these again. Stores without rules have nothing to do.
func (v *Vault) Protect(ctx context.Context, session string, on bool) error {
	objects, err := v.index.ListObjects(ctx, session, "")
	if err != nil {
		return fmt.Errorf("protect evidence of session %s: %w", session, err)
	}
	for _, o := range objects {
		blobs, err := v.blobsOf(o.Region)
		if err != nil {
			return fmt.Errorf("protect evidence of session %s: %w", session, err)
		}
		p, ok := as[interface {
			Protect(ctx context.Context, key string, on bool) error
		}](blobs)
		if !ok {
			continue
		}
		if err := p.Protect(ctx, o.Key, on); err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("protect evidence of session %s: %w", session, err)
		}
	}
	return nil
}
