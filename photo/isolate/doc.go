// Package isolate decodes photos in processes of their own that may do nothing
// else.
//
// Image decoders are the largest piece of C code that a stranger's bytes reach.
// Pool.Decode hands a file to a child process, which is the same binary under
// another first argument: it has an empty environment, no keys, no sockets, no
// files, bounded memory and processor time, and, where the kernel has them, a
// filter of system calls (seccomp) and no way into the file system (Landlock).
// Protections says which of these are in force.
//
// File and pixels travel through memory that both processes share; requests and
// answers are lines of JSON over pipes. What a child answers is checked like
// any outside input: a child that was taken over can return wrong pixels, and
// nothing more. A child that dies or does not answer in time is replaced, and
// its photo is a *photo.Error.
//
// main calls Child before anything else:
//
//	if isolate.IsChild() {
//		os.Exit(isolate.Child())
//	}
package isolate

import (
	"os"
	"time"

	"github.com/proofline/proofline/photo"
)

// childArg is the first argument of a child process.
const childArg = "decode-photos"

// IsChild tells whether this process was started to decode photos.
func IsChild() bool { return len(os.Args) > 1 && os.Args[1] == childArg }

// Scope is what is decoded apart.
type Scope string

// The scopes.
const (
	All  Scope = "all"  // every photo
	HEIF Scope = "heif" // HEIC and AVIF, whose decoder is the most complex
	Off  Scope = "off"  // nothing: only bounds and the decoders' own care
)

// Options of a Pool. Zero fields mean the default.
type Options struct {
	Scope     Scope         // All
	Processes int           // most children at once: 2
	Timeout   time.Duration // for one photo: 15 s
	Memory    int64         // that a child may use beyond what it starts with: 640 MiB
	Uses      int           // photos until a child is replaced: 200
}

func (o Options) orDefault() Options {
	if o.Scope == "" {
		o.Scope = All
	}
	if o.Processes <= 0 {
		o.Processes = 2
	}
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.Memory <= 0 {
		// Twice what photo lets all decodes of a process estimate together.
		o.Memory = 640 << 20
	}
	if o.Uses <= 0 {
		o.Uses = 200
	}
	return o
}

// inputRoom and pixelRoom divide the shared memory: the file, then its pixels.
var (
	inputRoom = photo.DefaultLimits.MaxBytes
	pixelRoom = 3 * int64(photo.DefaultLimits.WorkPixels)
)

// hello is a child's first line.
type hello struct {
	Protections []string `json:"protections"`
	Missing     []string `json:"missing,omitempty"`
}

// request asks for the file that lies at the start of the shared memory.
type request struct {
	Bytes  int64        `json:"bytes"`
	Limits photo.Limits `json:"limits"`
}

// answer describes the pixels that lie behind the input's room, or the refusal.
type answer struct {
	Code   string `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"`
	Failed string `json:"failed,omitempty"` // an error that is not about the photo

	Width        int      `json:"width,omitempty"`
	Height       int      `json:"height,omitempty"`
	Format       string   `json:"format,omitempty"`
	SourceWidth  int      `json:"source_width,omitempty"`
	SourceHeight int      `json:"source_height,omitempty"`
	Scale        float64  `json:"scale,omitempty"`
	Orientation  int      `json:"orientation,omitempty"`
	Notes        []string `json:"notes,omitempty"`
}

// maxLine bounds a line of either side.
const maxLine = 4 << 10
