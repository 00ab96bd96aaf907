package isolate

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocv.io/x/gocv"
	"golang.org/x/sys/unix"

	"github.com/proofline/proofline/photo"
)

func TestMain(m *testing.M) {
	if IsChild() {
		os.Exit(serve(misbehave))
	}
	os.Exit(m.Run())
}

// misbehave is the decoder of this test's children: what starts with "test:"
// does what a decoder that was taken over would try, the rest is decoded.
func misbehave(b []byte, l photo.Limits) (*photo.Image, error) {
	order, ok := strings.CutPrefix(string(b[:min(len(b), 20)]), "test:")
	if !ok {
		return photo.Decode(b, l)
	}
	var err error
	switch order {
	case "hang":
		for time.Now().Year() > 0 { //nolint:revive // that is what it is for
		}
	case "die":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		os.Exit(9)
	case "panic":
		panic("over a photo")
	case "memory":
		for held := [][]byte{}; ; {
			held = append(held, bytes.Repeat([]byte{1}, 64<<20))
		}
	case "open":
		_, err = os.Open("/etc/passwd")
	case "write":
		err = os.WriteFile("/tmp/proofline-isolate-test", []byte("x"), 0o600)
	case "dial":
		_, err = net.DialTimeout("tcp", "127.0.0.1:9", time.Second)
	case "exec":
		err = exec.Command("/bin/true").Run()
	case "kill":
		err = syscall.Kill(os.Getppid(), 0)
	case "shrink":
		err = unix.Ftruncate(sharedFD, 1)
	case "environment":
		err = errors.New(strings.Join(os.Environ(), " "))
	}
	return nil, &photo.Error{Code: "test", Detail: fmt.Sprint(err)}
}

func open(t testing.TB, o Options) *Pool {
	t.Helper()
	p, err := Open(o, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// limits are the defaults, as photo.Decode fills them in.
var limits = photo.DefaultLimits

func refused(t *testing.T, p *Pool, b []byte, code string) string {
	t.Helper()
	i, err := p.Decode(b, limits)
	if i != nil {
		i.Close()
	}
	var bad *photo.Error
	if !errors.As(err, &bad) || bad.Code != code {
		t.Fatalf("%.20q: got %v, want %s", b, err, code)
	}
	return bad.Detail
}

// works shows that honest photos go on being decoded.
func works(t *testing.T, p *Pool) {
	t.Helper()
	i, err := p.Decode(encode(t, gocv.JPEGFileExt, picture(64, 48)), limits)
	if err != nil {
		t.Fatalf("an honest photo afterwards: %v", err)
	}
	i.Close()
}

func TestAPhotoThatEndsTheDecoderIsCorruptAndTheNextOneIsDecoded(t *testing.T) {
	p := open(t, Options{Processes: 1})
	for _, how := range []string{"die", "panic"} {
		refused(t, p, []byte("test:"+how), photo.CodeCorrupt)
		works(t, p)
	}
	if n := p.Replaced(); n != 4 {
		t.Errorf("%d children replaced, want 4: each photo has a second chance", n)
	}
}

func TestAPhotoThatHangsTheDecoderIsRefusedInTime(t *testing.T) {
	p := open(t, Options{Processes: 1, Timeout: 300 * time.Millisecond})
	start := time.Now()
	if d := refused(t, p, []byte("test:hang"), photo.CodeCorrupt); !strings.Contains(d, "300ms") {
		t.Errorf("detail %q", d)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("took %v", took)
	}
	p.o.Timeout = 15 * time.Second
	works(t, p)
}

func TestAPhotoThatEatsMemoryIsTooLarge(t *testing.T) {
	p := open(t, Options{Processes: 1, Memory: 256 << 20})
	refused(t, p, []byte("test:memory"), photo.CodeTooManyPixels)
	works(t, p)
}

func TestADecoderThatWasTakenOverReachesNothing(t *testing.T) {
	p := open(t, Options{Processes: 1})
	in, missing := p.Protections()
	t.Logf("in force: %v; missing: %v", in, missing)
	if !slices.Contains(in, byLimits) || !slices.Contains(in, byNoNew) {
		t.Fatalf("only %v", in)
	}
	if d := refused(t, p, []byte("test:shrink"), "test"); !strings.Contains(d, "not permitted") {
		t.Errorf("the shared memory could be made shorter: %s", d)
	}
	if d := refused(t, p, []byte("test:environment"), "test"); strings.Contains(d, "PATH=/") || strings.Contains(d, "HOME=") {
		t.Errorf("environment %s", d)
	}
	if !slices.Contains(in, bySeccomp) {
		t.Skip("this kernel filters no system calls")
	}
	for _, try := range []string{"open", "write", "dial", "exec", "kill"} {
		if d := refused(t, p, []byte("test:"+try), "test"); !strings.Contains(d, "not permitted") && !strings.Contains(d, "denied") {
			t.Errorf("%s: %s", try, d)
		}
	}
	if n := p.Replaced(); n != 0 {
		t.Errorf("%d children died over it", n)
	}
}

func TestAChildIsReplacedAfterItsShareOfPhotos(t *testing.T) {
	p := open(t, Options{Processes: 1, Uses: 2})
	for range 2 {
		works(t, p)
	}
	if c := <-p.slots; c != nil {
		t.Error("the child was kept")
	}
	p.slots <- nil
	works(t, p)
	if p.Replaced() != 0 {
		t.Error("counted as a failure")
	}
}

func TestAnAnswerBeyondTheLimitsIsNotBelieved(t *testing.T) {
	c := &child{shared: make([]byte, inputRoom+pixelRoom)}
	good := answer{Width: 4, Height: 4, Format: "jpeg", SourceWidth: 4, SourceHeight: 4, Scale: 1, Orientation: 1}
	i, err := c.image(good, limits)
	if err != nil {
		t.Fatal(err)
	}
	i.Close()
	for name, spoil := range map[string]func(*answer){
		"no width":    func(a *answer) { a.Width = 0 },
		"negative":    func(a *answer) { a.Width, a.Height = -4, -4 },
		"too many":    func(a *answer) { a.Width, a.Height = 16000, 16000 },
		"overflowing": func(a *answer) { a.Width, a.Height = 1<<40, 1<<40 },
		"scale":       func(a *answer) { a.Scale = 2 },
		"orientation": func(a *answer) { a.Orientation = 9 },
		"source":      func(a *answer) { a.SourceWidth = -1 },
		"no scale":    func(a *answer) { a.Scale = 5e-324 }, // its inverse is infinite
		"a note":      func(a *answer) { a.Notes = []string{"\x1b[2J"} },
		"a format":    func(a *answer) { a.Format = "jpeg\n" },
	} {
		a := good
		spoil(&a)
		if i, err := c.image(a, limits); err == nil {
			i.Close()
			t.Errorf("%s: believed", name)
		}
	}
	_, err = c.image(answer{Code: photo.CodeCorrupt, Detail: "\x1b]0;title\a"}, limits)
	if bad := (*photo.Error)(nil); errors.As(err, &bad) {
		t.Errorf("escape sequences for a terminal are passed on: %q", bad.Detail)
	}
}

// picture has no symmetry.
func picture(w, h int) gocv.Mat {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		x, y := i/4%w, i/4/w
		m.Pix[i] = []byte{byte(x * 255 / w), byte(y * 255 / h), byte(x / 8 % 2 * 200), 255}[i%4]
	}
	mat, err := gocv.ImageToMatRGB(m)
	if err != nil {
		panic(err)
	}
	return mat
}

func encode(t testing.TB, ext gocv.FileExt, m gocv.Mat) []byte {
	t.Helper()
	defer m.Close()
	buf, err := gocv.IMEncode(ext, m)
	if err != nil {
		t.Fatal(err)
	}
	defer buf.Close()
	return bytes.Clone(buf.GetBytes())
}
