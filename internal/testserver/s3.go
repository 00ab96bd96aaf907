package testserver

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// S3Server is a running S3-compatible server (versitygw on a directory), with
// real signature checks, versioning and object lock. It does not encrypt.
type S3Server struct {
	server
	Endpoint  string // host:port, plain HTTP
	AccessKey string
	SecretKey string
	Region    string
	Dir       string // buckets are directories, objects are files in here
}

// S3 starts an S3 server for the test. Buckets are the test's to make.
func S3(t testing.TB) *S3Server {
	t.Helper()
	bin, err := tool("versitygw")
	if err != nil {
		Missing(t, "s3", "run `make setup`, which builds versitygw into .tools/bin")
	}
	root := tempDir(t)
	s := &S3Server{AccessKey: "proofline-test", SecretKey: "proofline-test-secret", Region: "us-east-1", Dir: filepath.Join(root, "data")}
	versions := filepath.Join(root, "versions")
	for _, dir := range []string{s.Dir, versions} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatalf("start versitygw: %v", err)
		}
	}
	s.server = own(t, func() *process {
		s.Endpoint = fmt.Sprintf("127.0.0.1:%d", freePort(t))
		return &process{
			name: "versitygw", stop: syscall.SIGTERM, death: syscall.SIGKILL, log: filepath.Join(root, "versitygw.log"),
			env: []string{"ROOT_ACCESS_KEY_ID=" + s.AccessKey, "ROOT_SECRET_ACCESS_KEY=" + s.SecretKey},
			args: []string{
				bin, "--port", s.Endpoint, "--region", s.Region, "--quiet", "--keep-alive", "--health", "/healthz",
				"posix", "--versioning-dir", versions, s.Dir,
			},
			ready: s.healthy,
		}
	})
	return s
}

func (s *S3Server) healthy() error {
	c := http.Client{Timeout: time.Second}
	resp, err := c.Get("http://" + s.Endpoint + "/healthz")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("versitygw answers %d", resp.StatusCode)
	}
	return nil
}
