package storage

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3Config says where an S3-compatible store is. The credentials need, on the
// bucket: s3:GetObject, s3:PutObject, s3:DeleteObject, s3:DeleteObjectVersion,
// s3:ListBucket, s3:ListBucketVersions and s3:AbortMultipartUpload.
type S3Config struct {
	Endpoint  string // host[:port]
	Bucket    string
	Prefix    string // put before every key, "" or ending in "/"
	Region    string // empty: asked of the server
	AccessKey string // empty: environment, then the machine's role
	SecretKey string
	Token     string
	Insecure  bool          // plain HTTP
	CAFile    string        // PEM of the authorities to trust; empty: the system's
	PathStyle bool          // bucket in the path; otherwise in the host name
	Timeout   time.Duration // bound of one operation with its retries; 0 = 2 min
	// Lifecycle gives each blob the tag that the rules of ApplyLifecycle look
	// for. It needs s3:PutObjectTagging and s3:DeleteObjectTagging as well, and
	// a server that knows tags.
	Lifecycle bool
	// Profile names the part of the AWS credentials file to use where there is
	// no AccessKey.
	Profile string
	// Transport replaces the HTTP transport, for tests.
	Transport http.RoundTripper
}

// S3 keeps blobs in a bucket. Server-side encryption is not relied on: what
// arrives here is encrypted already.
type S3 struct {
	client  *minio.Client
	bucket  string
	prefix  string
	timeout time.Duration
	tags    map[string]string // of new blobs
}

const (
	s3Retries  = 5
	s3PartSize = 16 << 20 // of streams of unknown size: the memory that one takes
)

// OpenS3 connects to a bucket, which must exist.
func OpenS3(ctx context.Context, c S3Config) (*S3, error) {
	if c.Endpoint == "" || c.Bucket == "" {
		return nil, errors.New("open S3 store: endpoint and bucket are needed")
	}
	if c.Prefix != "" && (!strings.HasSuffix(c.Prefix, "/") || CheckKey(c.Prefix+"x") != nil) {
		return nil, errors.New("open S3 store: the prefix must be key segments and end in a slash")
	}
	transport := c.Transport
	if transport == nil {
		t, err := s3Transport(c)
		if err != nil {
			return nil, fmt.Errorf("open S3 store: %w", err)
		}
		transport = t
	}
	creds := credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.Token)
	if c.AccessKey == "" && c.Profile != "" {
		creds = credentials.NewFileAWSCredentials("", c.Profile)
	} else if c.AccessKey == "" {
		creds = credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.EnvMinio{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
		})
	}
	lookup := minio.BucketLookupDNS
	if c.PathStyle {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.New(c.Endpoint, &minio.Options{
		Creds: creds, Secure: !c.Insecure, Region: c.Region, Transport: transport,
		BucketLookup: lookup, TrailingHeaders: true, MaxRetries: s3Retries,
	})
	if err != nil {
		return nil, fmt.Errorf("open S3 store: %w", err)
	}
	s := &S3{client: client, bucket: c.Bucket, prefix: c.Prefix, timeout: c.Timeout}
	if c.Lifecycle {
		s.tags = map[string]string{lifecycleTag: lifecycleExpire}
	}
	if s.timeout == 0 {
		s.timeout = 2 * time.Minute
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	ok, err := client.BucketExists(ctx, c.Bucket)
	if err != nil {
		return nil, fmt.Errorf("open S3 store: look for bucket %s: %w", c.Bucket, serverFailure(caller, err))
	}
	if !ok {
		return nil, fmt.Errorf("open S3 store: bucket %s: %w", c.Bucket, ErrNotFound)
	}
	return s, nil
}

func s3Transport(c S3Config) (*http.Transport, error) {
	t, err := minio.DefaultTransport(!c.Insecure)
	if err != nil {
		return nil, err
	}
	t.ResponseHeaderTimeout = 30 * time.Second
	if !c.Insecure {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if c.CAFile != "" {
			pem, err := os.ReadFile(c.CAFile)
			if err != nil {
				return nil, fmt.Errorf("read CA file: %w", err)
			}
			t.TLSClientConfig.RootCAs = x509.NewCertPool()
			if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("CA file %s holds no certificate", c.CAFile)
			}
		}
	}
	return t, nil
}

// fail wraps an error of the server with the type that callers decide on. ctx is
// the caller's.
func (s *S3) fail(ctx context.Context, doing, key string, err error) error {
	switch minio.ToErrorResponse(err).Code {
	case "NoSuchKey", "NotFound", "NoSuchVersion":
		err = ErrNotFound
	}
	return fmt.Errorf("%s blob %s: %w", doing, key, serverFailure(ctx, err))
}

// Put implements Blobs. The server verifies what arrives: over TLS a CRC32C
// follows the content, over plain HTTP every chunk is signed with its SHA-256.
func (s *S3) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	x := &exactReader{r: r, size: size}
	_, err := s.client.PutObject(ctx, s.bucket, s.prefix+key, x, size, minio.PutObjectOptions{
		ContentType: "application/octet-stream", PartSize: s3PartSize, NumThreads: 1,
		// An empty body has no chunks to sign; client and some servers disagree
		// about what is sent then, and the next request on the connection fails.
		DisableContentSha256: size == 0,
		UserTags:             s.tags,
	})
	if err == nil && x.err != nil { // the client took the failure for the end of the stream
		err = errors.Join(x.err, s.Delete(ctx, key))
	}
	if err != nil && x.err != nil {
		return fmt.Errorf("store blob %s: %w", key, err) // not the server's
	}
	if err != nil {
		return s.fail(caller, "store", key, err)
	}
	return nil
}

// exactReader fails unless r has exactly size bytes (-1: any number), and
// returns io.EOF together with the last of them: the client completes the
// checksum in its trailer only when it sees the end before the last chunk. It
// hides r's other methods: the client must not seek in what is being encrypted.
type exactReader struct {
	r       io.Reader
	n, size int64
	err     error
}

func (x *exactReader) Read(p []byte) (int, error) {
	if x.err != nil {
		return 0, x.err
	}
	n, err := x.r.Read(p)
	x.n += int64(n)
	if err == nil && x.n == x.size {
		var more [1]byte
		var m int
		for m == 0 && err == nil {
			m, err = x.r.Read(more[:])
		}
		x.n += int64(m)
	}
	if x.size >= 0 && (x.n > x.size || errors.Is(err, io.EOF) && x.n < x.size) {
		err = fmt.Errorf("got %d bytes, %d were announced", x.n, x.size)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		x.err = err
	}
	return n, err
}

// Get implements Blobs. The time bound covers the opening; reading ends with ctx.
func (s *S3) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	caller := ctx
	ctx, cancel := context.WithCancel(ctx)
	opening := time.AfterFunc(s.timeout, cancel)
	o, err := s.client.GetObject(ctx, s.bucket, s.prefix+key, minio.GetObjectOptions{})
	if err == nil {
		if _, err = o.Stat(); err != nil {
			o.Close()
		}
	}
	opening.Stop()
	if err != nil {
		cancel()
		return nil, s.fail(caller, "open", key, err)
	}
	return &s3Reader{o, caller, cancel}, nil
}

type s3Reader struct {
	*minio.Object
	caller context.Context
	cancel context.CancelFunc
}

func (r *s3Reader) Read(p []byte) (int, error) {
	n, err := r.Object.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = serverFailure(r.caller, err)
	}
	return n, err
}

func (r *s3Reader) Close() error {
	defer r.cancel()
	return r.Object.Close()
}

// Stat implements Blobs.
func (s *S3) Stat(ctx context.Context, key string) (Info, error) {
	if err := CheckKey(key); err != nil {
		return Info{}, err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	i, err := s.client.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return Info{}, s.fail(caller, "stat", key, err)
	}
	return Info{Key: key, Size: i.Size, Modified: i.LastModified.UTC()}, nil
}

// Delete implements Blobs. A plain delete on a versioned bucket only hides the
// bytes behind a marker, so every version and marker is removed by its id.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	full := s.prefix + key
	var versions []string
	for o := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: full, WithVersions: true, Recursive: true}) {
		if o.Err != nil {
			if minio.ToErrorResponse(o.Err).Code == "NotImplemented" {
				versions = []string{""} // a server without versions
				break
			}
			return s.fail(caller, "list versions of", key, o.Err)
		}
		if o.Key != full {
			break // keys come in order, the exact one first
		}
		versions = append(versions, o.VersionID)
	}
	for _, v := range versions {
		err := s.client.RemoveObject(ctx, s.bucket, full, minio.RemoveObjectOptions{VersionID: v})
		if err != nil && !errors.Is(s.fail(caller, "", "", err), ErrNotFound) {
			return s.fail(caller, "delete", key, err)
		}
	}
	return nil
}

// List implements Blobs.
func (s *S3) List(ctx context.Context, prefix, after string, limit int) ([]Info, error) {
	if limit <= 0 {
		return nil, nil
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel() // also ends the client's listing when limit is reached
	opts := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true, MaxKeys: min(limit, 1000)}
	if after != "" {
		opts.StartAfter = s.prefix + after
	}
	var out []Info
	for o := range s.client.ListObjects(ctx, s.bucket, opts) {
		if o.Err != nil {
			return nil, fmt.Errorf("list blobs: %w", serverFailure(caller, o.Err))
		}
		out = append(out, Info{Key: strings.TrimPrefix(o.Key, s.prefix), Size: o.Size, Modified: o.LastModified.UTC()})
		if len(out) == limit {
			break
		}
	}
	return out, nil
}
