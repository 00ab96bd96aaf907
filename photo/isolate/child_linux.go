package isolate

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"gocv.io/x/gocv"
	"golang.org/x/sys/unix"

	"github.com/proofline/proofline/photo"
)

// sharedFD is the shared memory, the first of the parent's extra files.
const sharedFD = 3

// Child serves a parent until that closes standard input, and returns the
// process's exit status.
func Child() int { return serve(photo.Decode) }

func serve(decode func([]byte, photo.Limits) (*photo.Image, error)) int {
	memory, timeout, err := childOptions(os.Args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "decode photos:", err)
		return 2
	}
	// The end comes with the end of the parent's pipe, so that a server that is
	// told to stop can finish its cases.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	shared, err := unix.Mmap(sharedFD, 0, int(inputRoom+pixelRoom), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		fmt.Fprintln(os.Stderr, "decode photos: map the shared memory:", err)
		return 2
	}
	warm(decode)
	debug.SetMemoryLimit(memory * 3 / 4)
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(restrict(memory)); err != nil {
		return 2
	}
	in := bufio.NewReaderSize(os.Stdin, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil || r.Bytes < 0 || r.Bytes > inputRoom {
			return 2
		}
		// Where the parent is gone, nobody else ends a decoder that hangs.
		watchdog := time.AfterFunc(timeout+5*time.Second, func() { os.Exit(3) })
		a := one(decode, shared, r)
		watchdog.Stop()
		if err := out.Encode(a); err != nil {
			return 2
		}
	}
}

// childOptions reads the two numbers that follow childArg.
func childOptions(args []string) (memory int64, timeout time.Duration, err error) {
	if len(args) != 4 {
		return 0, 0, errors.New("this command is for Proofline itself")
	}
	if memory, err = strconv.ParseInt(args[2], 10, 64); err == nil {
		timeout, err = time.ParseDuration(args[3])
	}
	return memory, timeout, err
}

// warm makes the decoders load what they load at first use, while that is
// still possible.
func warm(decode func([]byte, photo.Limits) (*photo.Image, error)) {
	gocv.SetNumThreads(1)
	m := gocv.NewMatWithSize(16, 16, gocv.MatTypeCV8UC3)
	defer m.Close()
	if b, err := photo.Encode(m, 90); err == nil {
		if i, err := decode(b, photo.Limits{}); err == nil {
			i.Close()
		}
	}
	photo.LoadHEIF()
}

// one decodes one photo into the shared memory.
func one(decode func([]byte, photo.Limits) (*photo.Image, error), shared []byte, r request) answer {
	i, err := decode(shared[:r.Bytes:r.Bytes], r.Limits)
	var bad *photo.Error
	switch {
	case errors.As(err, &bad):
		return answer{Code: bad.Code, Detail: bad.Detail}
	case err != nil:
		return answer{Failed: "the decoder failed"}
	}
	defer i.Close()
	pixels, err := i.Mat.DataPtrUint8()
	if err != nil || int64(len(pixels)) > pixelRoom {
		return answer{Failed: "no room for the pixels"}
	}
	copy(shared[inputRoom:], pixels)
	return answer{
		Width: i.Mat.Cols(), Height: i.Mat.Rows(), Format: i.Format, SourceWidth: i.SourceWidth, SourceHeight: i.SourceHeight,
		Scale: i.Scale, Orientation: i.Orientation, Notes: i.Notes,
	}
}
