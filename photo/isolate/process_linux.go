package isolate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proofline/proofline/photo"
)

// startTimeout is how long a child may take until it says what holds it back.
// It loads the libraries; a busy machine makes that slow.
const startTimeout = 30 * time.Second

// child is a process, seen from the parent.
type child struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	lines  *bufio.Reader
	last   *lastWords
	shared []byte
	memory *os.File
	hello  hello
	used   int
}

// start starts a child and waits for its first line.
func start(o Options) (_ *child, err error) {
	c := &child{last: &lastWords{}}
	var inside []*os.File // the child's ends
	defer func() {
		for _, f := range inside {
			f.Close()
		}
		if err != nil {
			c.end()
		}
	}()
	if err := c.share(); err != nil {
		return nil, err
	}
	stdin, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.in, inside = in, append(inside, stdin)
	out, stdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.out, inside = out, append(inside, stdout)
	c.lines = bufio.NewReaderSize(out, maxLine)
	cmd := exec.Command(self, childArg, strconv.FormatInt(o.Memory, 10), o.Timeout.String())
	cmd.Env, cmd.Dir = environment(), "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, c.last
	cmd.ExtraFiles = []*os.File{c.memory}
	// A group of its own: Ctrl-C at a terminal lets the parent finish first.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c.cmd = cmd
	if err := c.read(&c.hello, startTimeout); err != nil {
		return nil, err
	}
	return c, nil
}

// share makes the memory that both processes see. Its size is sealed: a child
// that made it shorter would end the parent at the next read.
func (c *child) share() error {
	fd, err := unix.MemfdCreate("photo", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return fmt.Errorf("make shared memory: %w", err)
	}
	c.memory = os.NewFile(uintptr(fd), "photo")
	if err := c.memory.Truncate(inputRoom + pixelRoom); err != nil {
		return fmt.Errorf("make shared memory: %w", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return fmt.Errorf("seal shared memory: %w", err)
	}
	c.shared, err = unix.Mmap(fd, 0, int(inputRoom+pixelRoom), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map shared memory: %w", err)
	}
	return nil
}

// ask sends one photo and waits for the answer.
func (c *child) ask(r request, b []byte, timeout time.Duration) (a answer, err error) {
	copy(c.shared, b)
	line, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	c.used++
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return a, errDied
	}
	err = c.read(&a, timeout)
	return a, err
}

func (c *child) read(into any, timeout time.Duration) error {
	if err := c.out.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return fmt.Errorf("limit the wait for a decoding process: %w", err)
	}
	line, err := c.lines.ReadSlice('\n')
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	case err != nil:
		return errDied
	}
	if err := json.Unmarshal(line, into); err != nil {
		return errDied
	}
	return nil
}

// keepRoom is what stays in memory between two photos: the pixels of 12
// megapixels, as phones take them. Giving 36 MB back and taking them again for
// every photo doubled the time of a decode.
const keepRoom = 3 * 12_000_000

// clean gives the memory of a larger photo back.
func (c *child) clean(i *photo.Image) {
	if i != nil && 3*i.Mat.Total() <= keepRoom {
		return
	}
	// On failure the pages stay until the child is replaced.
	_ = unix.Fallocate(int(c.memory.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, inputRoom+pixelRoom)
}

// end kills the child, frees everything and tells how it ended.
func (c *child) end() string {
	how := ""
	for _, f := range []*os.File{c.in, c.out} {
		if f != nil {
			f.Close()
		}
	}
	if c.cmd != nil {
		_ = c.cmd.Process.Kill() // one that ended by itself keeps its own status
		_ = c.cmd.Wait()
		how = c.cmd.ProcessState.String()
	}
	if c.shared != nil {
		_ = unix.Munmap(c.shared)
		c.shared = nil
	}
	if c.memory != nil {
		c.memory.Close()
	}
	return how
}

// outOfMemory tells, after the end, whether an allocation failed: Go's runtime
// and the C++ library say so on their way out.
func (c *child) outOfMemory() bool {
	s := c.last.String()
	for _, sign := range []string{"out of memory", "cannot allocate memory", "bad_alloc", "Insufficient memory"} {
		if strings.Contains(s, sign) {
			return true
		}
	}
	return false
}

// lastWords keeps the first bytes that a child says on its way out. They are looked
// at, never shown: they may hold anything.
type lastWords struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *lastWords) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := maxLine - t.b.Len(); room > 0 {
		t.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (t *lastWords) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
