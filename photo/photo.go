// Package photo decodes an untrusted photo within bounds.
//
// Decode is the only way an outside file becomes pixels in Proofline. It
// sniffs the format from the bytes themselves, reads the dimensions out of the
// header before any decoder is started, refuses what is too large, and hands
// back an Image: 8-bit BGR, upright, no larger than the caller can afford.
// Everything that had to be changed on the way (orientation, CMYK, 16 bit,
// alpha, animation) is written down in Image.Notes. What is not a usable photo
// comes back as *Error with a stable code, never as a panic or as grey pixels.
//
// Rect, Point and Quad are the geometry shared by all vision packages. Pixels
// are continuous: pixel (x, y) covers [x, x+1) × [y, y+1).
package photo

import (
	"fmt"
	"image"
	"math"

	"gocv.io/x/gocv"
)

// Limits bounds what Decode accepts and produces. The zero value of a field
// means the default.
type Limits struct {
	MaxBytes   int64 // size of the file
	MaxPixels  int   // pixels in the file, before any reduction
	MaxSide    int   // longer side in the file
	WorkPixels int   // pixels handed out: larger photos are reduced while decoding
	// Enough is how many pixels suffice: a photo is reduced while decoding as far
	// as at least so many are left. 0 keeps as many as WorkPixels allows. A JPEG
	// is reduced before its inverse transform, which saves half of the time.
	Enough int
}

// DefaultLimits admits the photos of every current phone (48-50 megapixels)
// and hands out at most 16 megapixels, which keeps a decoded photo below 48 MB.
var DefaultLimits = Limits{
	MaxBytes:   25 << 20,
	MaxPixels:  60_000_000,
	MaxSide:    16384,
	WorkPixels: 16_000_000,
}

func (l Limits) orDefault() Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = DefaultLimits.MaxBytes
	}
	if l.MaxPixels <= 0 {
		l.MaxPixels = DefaultLimits.MaxPixels
	}
	if l.MaxSide <= 0 {
		l.MaxSide = DefaultLimits.MaxSide
	}
	if l.WorkPixels <= 0 {
		l.WorkPixels = DefaultLimits.WorkPixels
	}
	return l
}

// Image is a decoded photo. It owns Mat; Close releases it.
type Image struct {
	Mat          gocv.Mat // 8-bit BGR, upright
	Format       string   // "jpeg", "png", "webp", "gif", "bmp", "heic", "avif"
	SourceWidth  int      // of the file, before orientation
	SourceHeight int
	Scale        float64  // decoded pixels per source pixel, ≤ 1
	Orientation  int      // EXIF 1-8, already applied to Mat
	Notes        []string // what was changed: see the Note constants
	SHA256       string   // hex, of the file's bytes
}

// What Image.Notes may hold.
const (
	NoteCMYK      = "cmyk_converted"
	NoteSixteen   = "sixteen_bit_reduced"
	NoteAnimated  = "animated_first_frame"
	NoteAlpha     = "alpha_flattened"
	NoteGrey      = "greyscale"
	NoteTrailing  = "trailing_data"
	NoteReduced   = "reduced_while_decoding"
	NoteTruncated = "truncated"
)

// Close releases the pixels. It may be called twice.
func (i *Image) Close() {
	if i == nil || i.Mat.Closed() {
		return
	}
	i.Mat.Close()
}

// Noted tells whether note is among the image's notes.
func (i *Image) Noted(note string) bool {
	for _, n := range i.Notes {
		if n == note {
			return true
		}
	}
	return false
}

// The codes of Error.
const (
	CodeNotAnImage        = "not_an_image"
	CodeTruncated         = "truncated"
	CodeTooManyBytes      = "too_many_bytes"
	CodeTooManyPixels     = "too_many_pixels"
	CodeUnsupportedFormat = "unsupported_format"
	CodeCorrupt           = "corrupt"
)

// Error says why a file is not usable as a photo. Detail is for people, names
// numbers and formats only, and never holds bytes of the file.
type Error struct {
	Code   string
	Detail string
}

func (e *Error) Error() string { return e.Code + ": " + e.Detail }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Point is a position in pixels.
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// Sub returns p − q.
func (p Point) Sub(q Point) Point { return Point{p.X - q.X, p.Y - q.Y} }

// Distance returns the Euclidean distance between p and q.
func (p Point) Distance(q Point) float64 { return math.Hypot(p.X-q.X, p.Y-q.Y) }

// Rect is an upright rectangle in pixels.
type Rect struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
	W float64 `json:"w"`
	H float64 `json:"h"`
}

// FromImage converts an image.Rectangle.
func FromImage(r image.Rectangle) Rect {
	return Rect{float64(r.Min.X), float64(r.Min.Y), float64(r.Dx()), float64(r.Dy())}
}

// Bounds returns the smallest whole-pixel rectangle that covers r, clipped to
// width × height. It is empty when nothing of r lies inside.
func (r Rect) Bounds(width, height int) image.Rectangle {
	clamp := func(v float64, hi int) int { return int(math.Max(0, math.Min(float64(hi), v))) }
	return image.Rect(
		clamp(math.Floor(r.X), width), clamp(math.Floor(r.Y), height),
		clamp(math.Ceil(r.X+r.W), width), clamp(math.Ceil(r.Y+r.H), height))
}

// Centre returns the middle of r.
func (r Rect) Centre() Point { return Point{r.X + r.W/2, r.Y + r.H/2} }

// Quad is a convex quadrilateral: top left, top right, bottom right, bottom
// left as the depicted thing is read, so an upside-down document has its top
// left corner at the lower right of the photo.
type Quad [4]Point

// Quad returns r's corners.
func (r Rect) Quad() Quad {
	return Quad{{r.X, r.Y}, {r.X + r.W, r.Y}, {r.X + r.W, r.Y + r.H}, {r.X, r.Y + r.H}}
}

// Area returns the enclosed area in square pixels, whatever the winding.
func (q Quad) Area() float64 {
	var s float64
	for i := range q {
		j := (i + 1) % 4
		s += q[i].X*q[j].Y - q[j].X*q[i].Y
	}
	return math.Abs(s) / 2
}

// Bounds returns the smallest upright rectangle around q.
func (q Quad) Bounds() Rect {
	lo, hi := q[0], q[0]
	for _, p := range q[1:] {
		lo = Point{math.Min(lo.X, p.X), math.Min(lo.Y, p.Y)}
		hi = Point{math.Max(hi.X, p.X), math.Max(hi.Y, p.Y)}
	}
	return Rect{lo.X, lo.Y, hi.X - lo.X, hi.Y - lo.Y}
}

// Scaled returns q with every coordinate multiplied by f.
func (q Quad) Scaled(f float64) Quad {
	for i := range q {
		q[i].X *= f
		q[i].Y *= f
	}
	return q
}

// Image rounds p to a whole pixel.
func (p Point) Image() image.Point {
	return image.Pt(int(math.Round(p.X)), int(math.Round(p.Y)))
}
