// Package kms seals the keyring's key-encryption keys with an external key
// service that speaks the protocol of AWS KMS: AWS itself, or a server of the
// same protocol at an endpoint of its own. The key that seals them never leaves
// the service, and each use of it is in the service's own log.
//
// [Open] returns a [Sealer], which is a storage.Sealer. Credentials come from
// where every AWS client looks: the environment, the shared configuration files,
// the machine's or the pod's role. They need kms:Encrypt, kms:Decrypt and
// kms:DescribeKey on the one key.
package kms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
)

// Config names the key.
type Config struct {
	// Key is a key id, an ARN or "alias/NAME".
	Key string
	// Region; empty: from the environment or the shared configuration.
	Region string
	// Endpoint of another server than AWS's own, "https://kms.example.com".
	Endpoint string
	// Timeout of one request with its retries; 0 means 20 seconds.
	Timeout time.Duration
}

// Sealer seals keys with the service.
type Sealer struct {
	client  *kms.Client
	arn     string
	timeout time.Duration
}

const tries = 4

// Open connects to the service and asks whether the key can be used: it is an
// error now, and not when the first person is verified.
func Open(ctx context.Context, c Config) (*Sealer, error) {
	if c.Key == "" {
		return nil, errors.New("open key service: the id, ARN or alias of a key is needed")
	}
	s := &Sealer{timeout: c.Timeout}
	if s.timeout == 0 {
		s.timeout = 20 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	opts := []func(*config.LoadOptions) error{
		config.WithRetryer(func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), tries) }),
	}
	if c.Region != "" {
		opts = append(opts, config.WithRegion(c.Region))
	}
	conf, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("open key service: %w", err)
	}
	s.client = kms.NewFromConfig(conf, func(o *kms.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})
	out, err := s.client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(c.Key)})
	if err != nil {
		return nil, fmt.Errorf("open key service: key %s: %w", c.Key, explain(err))
	}
	m := out.KeyMetadata
	switch {
	case m == nil || aws.ToString(m.Arn) == "":
		return nil, fmt.Errorf("open key service: key %s: the service does not describe it", c.Key)
	case m.KeyState != types.KeyStateEnabled:
		return nil, fmt.Errorf("open key service: key %s is not enabled but %s", c.Key, m.KeyState)
	case m.KeyUsage != types.KeyUsageTypeEncryptDecrypt || m.KeySpec != types.KeySpecSymmetricDefault:
		return nil, fmt.Errorf("open key service: key %s is no symmetric key for encryption", c.Key)
	}
	// An alias may be pointed at another key later; the ARN can not.
	s.arn = *m.Arn
	return s, nil
}

// Name is the ARN of the key.
func (s *Sealer) Name() string { return s.arn }

// sealing binds a sealed key to its id. It appears in the service's log.
func sealing(id string) map[string]string {
	return map[string]string{"proofline-keyring": id}
}

// Seal implements storage.Sealer.
func (s *Sealer) Seal(ctx context.Context, id string, key []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	out, err := s.client.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(s.arn), Plaintext: key, EncryptionContext: sealing(id)})
	if err != nil {
		return nil, fmt.Errorf("key service: %w", explain(err))
	}
	return out.CiphertextBlob, nil
}

// Open implements storage.Sealer. The service finds the key that sealed it by
// itself, so that keys sealed under an older one of the service open, too.
func (s *Sealer) Open(ctx context.Context, id string, sealed []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	out, err := s.client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed, EncryptionContext: sealing(id)})
	if err != nil {
		return nil, fmt.Errorf("key service: %w", explain(err))
	}
	return out.Plaintext, nil
}

// explain turns the service's answers into words about what to do.
func explain(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("no answer: %w", err)
	}
	hint := map[string]string{
		"NotFoundException":           "there is no such key",
		"AccessDeniedException":       "these credentials may not use it: allow kms:Encrypt, kms:Decrypt and kms:DescribeKey",
		"DisabledException":           "the key is disabled: enable it",
		"KMSInvalidStateException":    "the key is disabled or about to be deleted: cancel the deletion, enable it",
		"InvalidCiphertextException":  "this was not sealed by a key of this service and account, or the key file was changed",
		"IncorrectKeyException":       "it was sealed by another key",
		"UnrecognizedClientException": "the service does not know these credentials",
		"InvalidSignatureException":   "the service refuses the signature: wrong secret key, or this machine's clock is off",
		"ExpiredTokenException":       "the credentials have expired",
		"KeyUnavailableException":     "the key is not available for the moment: try again",
		"DependencyTimeoutException":  "the service is not available for the moment: try again",
		"KMSInternalException":        "the service failed: try again",
		"ThrottlingException":         "too many requests: try again",
	}[api.ErrorCode()]
	if hint == "" {
		return err
	}
	return fmt.Errorf("%s (%s)", hint, api.ErrorCode())
}
