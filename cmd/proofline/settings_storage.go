package main

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/storage"
)

type storageSettings struct {
	Driver string     `help:"Where encrypted evidence lies: fs (the data directory) or s3." enum:"fs,s3" default:"fs"`
	S3     s3Settings `embed:"" prefix:"s3."`
	// Concurrency bounds one process; a burst of uploads waits here.
	Concurrency int      `help:"Requests to evidence storage that one process has open at once; more wait." default:"64"`
	Regions     []string `help:"Places where evidence has to lie when a cell of the policy names them (residency): NAME=s3://BUCKET[/PREFIX]?endpoint=HOST:PORT&region=R[&profile=P][&path-style=true][&insecure=true] or NAME=file:///DIRECTORY. Without a profile (of the AWS credentials file) the keys of storage.s3 are used." placeholder:"NAME=URL"`
}

type s3Settings struct {
	Endpoint  string `help:"host:port of the S3-compatible server." placeholder:"HOST:PORT"`
	Bucket    string `help:"Bucket; must exist." placeholder:"NAME"`
	Region    string `help:"Region of the bucket." default:"us-east-1"`
	Prefix    string `help:"Prefix of all object names." placeholder:"PREFIX"`
	AccessKey string `help:"Access key id." placeholder:"ID"`
	SecretKey string `help:"Secret access key; better set through the environment." placeholder:"SECRET"`
	CAFile    string `name:"ca-file" help:"Authorities to trust over TLS (PEM); the system's when empty." placeholder:"FILE"`
	PathStyle bool   `help:"Address buckets in the path, not in the host name."`
	Insecure  bool   `help:"Speak plain HTTP. Evidence is encrypted before it leaves Proofline, object names and sizes are not."`
	Lifecycle bool   `help:"Tag objects for the bucket's lifecycle rules, which proofline storage apply-lifecycle writes: a second net that deletes what is long past its retention even when Proofline does not run. The server has to know tags."`
}

type keySettings struct {
	File        string `help:"Keyring file with the key-encryption keys, mode 0600; made on first start in the data directory when empty. Losing it loses all evidence." placeholder:"FILE"`
	Secret      string `help:"The keyring's text itself in place of a file, for environments that hand out secrets as variables: ID KEY[,ID KEY…], the last one wraps new data keys." placeholder:"SECRET"`
	Store       string `help:"Database of the data keys, apart from everything else so that a restored backup brings no erased person back: sqlite:PATH or postgres://…. Empty: in the data directory, or, when the session store is PostgreSQL, in that database (its backups then hold data keys until they are deleted)." placeholder:"DSN"`
	KMSKey      string `name:"kms-key" help:"Key of an external key service (AWS KMS or a server of its protocol) that seals new keys of the keyring: id, ARN or alias/NAME. Credentials come from the standard AWS environment." placeholder:"KEY"`
	KMSRegion   string `name:"kms-region" help:"Region of the key service; the standard AWS environment when empty." placeholder:"REGION"`
	KMSEndpoint string `name:"kms-endpoint" help:"Address of a key service that is not AWS's own." placeholder:"URL"`
}

func (s settings) keyringFile() string {
	if s.Keys.File != "" {
		return s.Keys.File
	}
	return filepath.Join(s.DataDir, "keyring")
}

// keyStoreDSN is empty where the session store keeps the data keys.
func (s settings) keyStoreDSN() string {
	switch {
	case s.Keys.Store != "":
		return s.Keys.Store
	case strings.HasPrefix(s.storeDSN(), "sqlite:"):
		return "sqlite:" + filepath.Join(s.DataDir, "keystore", "keys.db")
	}
	return ""
}

func (s settings) validateStorage(alone bool) []error {
	var errs []error
	add := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if s.Storage.Driver == "s3" {
		for _, x := range [][2]string{{"endpoint", s.Storage.S3.Endpoint}, {"bucket", s.Storage.S3.Bucket}, {"access-key", s.Storage.S3.AccessKey}, {"secret-key", s.Storage.S3.SecretKey}} {
			if x[1] == "" {
				add("storage.driver is s3 but storage.s3.%s is empty", x[0])
			}
		}
	} else if !alone {
		add("storage.driver is fs, which other machines do not see: set storage.driver to s3, or use `proofline up`")
	}
	if s.Storage.Concurrency < 1 {
		add("storage.concurrency must be at least 1")
	}
	regions, err := s.regions()
	if err != nil {
		errs = append(errs, err)
	}
	for name, r := range regions {
		if r.dir != "" && !alone {
			add("storage.regions: %s is a directory, which other machines do not see", name)
		}
	}
	if s.Keys.Store == s.storeDSN() {
		add("keys.store is the session store itself: leave it empty for that, or name another database")
	}
	if !alone && strings.HasPrefix(s.Keys.Store, "sqlite:") {
		add("keys.store is SQLite, which other machines do not see: set it to postgres://…")
	}
	if s.Keys.Secret != "" && s.Keys.File != "" {
		add("keys.file and keys.secret are both set: which one holds the keyring?")
	}
	if s.Keys.KMSKey == "" && (s.Keys.KMSRegion != "" || s.Keys.KMSEndpoint != "") {
		add("keys.kms-region or keys.kms-endpoint is set but keys.kms-key is empty")
	}
	return errs
}

// region is a place named by storage.regions.
type region struct {
	dir string
	s3  storage.S3Config
}

var regionName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// regions parses storage.regions. No part of a value is repeated in an error
// that could be a secret: values hold none.
func (s settings) regions() (map[string]region, error) {
	out := map[string]region{}
	for _, text := range s.Storage.Regions {
		name, address, ok := strings.Cut(text, "=")
		if !ok || !regionName.MatchString(name) {
			return nil, fmt.Errorf("storage.regions: %q: want NAME=URL with a name of a-z, 0-9 and '-'", text)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("storage.regions: %s is there twice", name)
		}
		r, err := s.region(address)
		if err != nil {
			return nil, fmt.Errorf("storage.regions: %s: %w", name, err)
		}
		out[name] = r
	}
	return out, nil
}

func (s settings) region(address string) (region, error) {
	u, err := url.Parse(address)
	if err != nil {
		return region{}, errors.New("not a URL")
	}
	if u.Scheme == "file" {
		if u.Host != "" || !filepath.IsAbs(u.Path) || u.RawQuery != "" {
			return region{}, errors.New("want file:///DIRECTORY")
		}
		return region{dir: u.Path}, nil
	}
	if u.Scheme != "s3" || u.Host == "" || u.User != nil {
		return region{}, errors.New("want s3://BUCKET[/PREFIX]?endpoint=HOST:PORT&region=R or file:///DIRECTORY")
	}
	q := u.Query()
	for k := range q {
		if !slices.Contains([]string{"endpoint", "region", "profile", "path-style", "insecure"}, k) {
			return region{}, fmt.Errorf("unknown parameter %s", k)
		}
	}
	c := s.s3Config()
	c.Bucket, c.Prefix = u.Host, strings.TrimPrefix(u.Path, "/")
	if c.Prefix != "" && !strings.HasSuffix(c.Prefix, "/") {
		c.Prefix += "/"
	}
	if v := q.Get("endpoint"); v != "" {
		c.Endpoint = v
	}
	if v := q.Get("region"); v != "" {
		c.Region = v
	}
	if v := q.Get("profile"); v != "" {
		c.AccessKey, c.SecretKey, c.Profile = "", "", v
	}
	for k, to := range map[string]*bool{"path-style": &c.PathStyle, "insecure": &c.Insecure} {
		if v := q.Get(k); v != "" {
			if *to, err = strconv.ParseBool(v); err != nil {
				return region{}, fmt.Errorf("%s: want true or false", k)
			}
		}
	}
	if c.Endpoint == "" || c.AccessKey == "" && c.Profile == "" {
		return region{}, errors.New("an endpoint, and a profile or the keys of storage.s3, are needed")
	}
	return region{s3: c}, nil
}

func (s settings) s3Config() storage.S3Config {
	c := s.Storage.S3
	return storage.S3Config{
		Endpoint: c.Endpoint, Bucket: c.Bucket, Prefix: c.Prefix, Region: c.Region, AccessKey: c.AccessKey, SecretKey: c.SecretKey,
		CAFile: c.CAFile, Insecure: c.Insecure, PathStyle: c.PathStyle, Lifecycle: c.Lifecycle,
	}
}

// checkResidency refuses a policy that sends evidence to a region which is not
// configured.
func checkResidency(p *policy.Policy, v *storage.Vault) error {
	for _, r := range p.Residencies() {
		if !v.HasRegion(r) {
			return fmt.Errorf("policy %s: evidence has to lie in region %q, and storage.regions does not say where that is: %w", p.Name, r, storage.ErrRegion)
		}
	}
	return nil
}
