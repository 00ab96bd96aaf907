package liveness

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/proofline/proofline/liveness/challenge"
)

// A burst travels as one file, so that it is stored, encrypted, retained and
// erased like a photo. All numbers are big-endian:
//
//	8 bytes   "PLBURST1"
//	1 byte    length of the nonce, 0 to 64
//	          the nonce, as the server gave it
//	1 byte    number of frames, 1 to MaxBurstFrames
//	then for each frame
//	4 bytes   time since the first frame in microseconds
//	4 bytes   length of the picture, 1 to MaxFrameBytes
//	          the picture: a JPEG, PNG or WebP file
//
// A file that begins with "PLBURST2" has one byte more after each picture's
// length: how bright the page lit the face with its own screen, 0 to 100 per
// cent, or 255 where it does not say (the light had just changed, and a camera
// shows what was some frames ago).
//
// Nothing follows the last frame. The nonce ties a file to the session that
// asked for it and keeps frames of another session from being sent by mistake;
// since whoever sends a file can write any nonce into it, it proves nothing
// about when the frames were taken.
const (
	burstMagic    = challenge.Magic
	litMagic      = "PLBURST2"
	maxBurstNonce = challenge.MaxNonce
	fullLight     = 100 // of the byte of a frame's light
	unknownLight  = 255
	// MaxFrameBytes bounds one frame; 1280 × 960 at good quality has 300 kB.
	MaxFrameBytes = 1 << 20
	// MaxBurstBytes bounds the whole file.
	MaxBurstBytes = 12 << 20
)

// ErrNotBurst is the cause of every refusal of ParseBurst.
var ErrNotBurst = errors.New("not a burst of frames")

// FrameFile is one frame as it travels.
type FrameFile struct {
	At   time.Duration
	File []byte
	// Light is how bright the page lit the face, 0 to 1 in steps of a
	// hundredth; nil where it is not known.
	Light *float64
}

// BurstFile is a burst as it travels.
type BurstFile struct {
	Nonce  []byte
	Frames []FrameFile
	// Lit: the file has a place for the light of each frame.
	Lit bool
}

// IsBurst tells a burst's first bytes from a photo's.
func IsBurst(b []byte) bool {
	return bytes.HasPrefix(b, []byte(burstMagic)) || bytes.HasPrefix(b, []byte(litMagic))
}

// ParseBurst reads the container. The pictures share b's memory and are not
// looked at.
func ParseBurst(b []byte) (BurstFile, error) {
	var out BurstFile
	refuse := func(why string) (BurstFile, error) { return BurstFile{}, fmt.Errorf("%w: %s", ErrNotBurst, why) }
	if len(b) > MaxBurstBytes {
		return refuse("too large")
	}
	if !IsBurst(b) {
		return refuse("another kind of file")
	}
	out.Lit = bytes.HasPrefix(b, []byte(litMagic))
	b = b[len(burstMagic):]
	take := func(n int) ([]byte, bool) {
		if n > len(b) {
			return nil, false
		}
		head := b[:n:n]
		b = b[n:]
		return head, true
	}
	size, ok := take(1)
	if !ok || size[0] > maxBurstNonce {
		return refuse("nonce too long")
	}
	if out.Nonce, ok = take(int(size[0])); !ok {
		return refuse("cut off")
	}
	count, ok := take(1)
	if !ok || count[0] == 0 || count[0] > MaxBurstFrames {
		return refuse("no frames, or too many")
	}
	for range count[0] {
		head, ok := take(8)
		if !ok {
			return refuse("cut off")
		}
		n := binary.BigEndian.Uint32(head[4:])
		if n == 0 || n > MaxFrameBytes {
			return refuse("a frame that is empty or too large")
		}
		frame := FrameFile{At: time.Duration(binary.BigEndian.Uint32(head)) * time.Microsecond}
		if out.Lit {
			light, ok := take(1)
			if !ok {
				return refuse("cut off")
			}
			if frame.Light, ok = lightOf(light[0]); !ok {
				return refuse("a light beyond full")
			}
		}
		if frame.File, ok = take(int(n)); !ok {
			return refuse("cut off")
		}
		out.Frames = append(out.Frames, frame)
	}
	if len(b) > 0 {
		return refuse("bytes after the last frame")
	}
	return out, nil
}

// Pack writes the container that ParseBurst reads.
func (f BurstFile) Pack() ([]byte, error) {
	if len(f.Nonce) > maxBurstNonce || len(f.Frames) == 0 || len(f.Frames) > MaxBurstFrames {
		return nil, fmt.Errorf("pack burst: nonce of %d bytes, %d frames", len(f.Nonce), len(f.Frames))
	}
	magic := burstMagic
	if f.Lit {
		magic = litMagic
	}
	out := append([]byte(magic), byte(len(f.Nonce)))
	out = append(append(out, f.Nonce...), byte(len(f.Frames)))
	for i, frame := range f.Frames {
		us := frame.At.Microseconds()
		if us < 0 || us > math.MaxUint32 || len(frame.File) == 0 || len(frame.File) > MaxFrameBytes {
			return nil, fmt.Errorf("pack burst: frame %d at %v has %d bytes", i, frame.At, len(frame.File))
		}
		out = binary.BigEndian.AppendUint32(out, uint32(us))
		out = binary.BigEndian.AppendUint32(out, uint32(len(frame.File)))
		light, ok := lightByte(frame.Light)
		if !ok || !f.Lit && frame.Light != nil {
			return nil, fmt.Errorf("pack burst: the light of frame %d", i)
		}
		if f.Lit {
			out = append(out, light)
		}
		out = append(out, frame.File...)
	}
	if len(out) > MaxBurstBytes {
		return nil, fmt.Errorf("pack burst: %d bytes are too many", len(out))
	}
	return out, nil
}

func lightOf(b byte) (light *float64, ok bool) {
	if b == unknownLight {
		return nil, true
	}
	v := float64(b) / fullLight
	return &v, b <= fullLight
}

func lightByte(light *float64) (b byte, ok bool) {
	if light == nil {
		return unknownLight, true
	}
	if !(*light >= 0 && *light <= 1) { // also what is no number
		return 0, false
	}
	return byte(math.Round(*light * fullLight)), true
}
