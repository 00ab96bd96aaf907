package specimen

import (
	"errors"
	"fmt"
	"image"
	"io"
	"math"

	"gocv.io/x/gocv"
)

// VideoOptions describes a video for a browser's fake camera
// (--use-file-for-fake-video-capture). The zero value is three seconds of
// 1280 × 720 at 15 frames per second.
type VideoOptions struct {
	Seed          int64
	Width, Height int
	Frames, FPS   int
	Shake         float64 // amplitude of the hand's movement, px; 4 when zero, none when negative
	Quality       int     // of JPEG frames; 85 when zero
}

func (o VideoOptions) orDefault() VideoOptions {
	if o.Width == 0 || o.Height == 0 {
		o.Width, o.Height = 1280, 720
	}
	if o.Frames == 0 {
		o.Frames = 45
	}
	if o.FPS == 0 {
		o.FPS = 15
	}
	if o.Shake == 0 {
		o.Shake = 4
	}
	if o.Quality == 0 {
		o.Quality = 85
	}
	return o
}

// WriteMJPEG writes the frames of a hand-held still as JPEG files one after
// another, which is what Chromium reads from a file named *.mjpeg.
func WriteMJPEG(w io.Writer, still image.Image, o VideoOptions) error {
	o = o.orDefault()
	return o.each(still, func(frame *image.RGBA) error {
		b, err := encodeJPEG(frame, o.Quality, 1)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	})
}

// WriteY4M writes the same frames uncompressed, as YUV4MPEG2 with 4:2:0
// chroma; every player and Chromium read it from a file named *.y4m.
func WriteY4M(w io.Writer, still image.Image, o VideoOptions) error {
	o = o.orDefault()
	if o.Width%2 != 0 || o.Height%2 != 0 {
		return errors.New("write video: 4:2:0 needs an even width and height")
	}
	if _, err := fmt.Fprintf(w, "YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n", o.Width, o.Height, o.FPS); err != nil {
		return fmt.Errorf("write video: %w", err)
	}
	return o.each(still, func(frame *image.RGBA) error {
		m := matOf(frame)
		defer m.Close()
		yuv := gocv.NewMat()
		defer yuv.Close()
		// I420 planes are what 4:2:0 frames of Y4M are.
		_ = gocv.CvtColor(m, &yuv, gocv.ColorRGBAToYUVI420)
		if _, err := io.WriteString(w, "FRAME\n"); err != nil {
			return err
		}
		_, err := w.Write(yuv.ToBytes())
		return err
	})
}

// each makes the frames: the still fitted into the picture, moved a little and
// with fresh noise in every frame.
func (o VideoOptions) each(still image.Image, write func(*image.RGBA) error) error {
	if still == nil || still.Bounds().Empty() {
		return errors.New("write video: there is no picture")
	}
	base := fitted(toRGBA(still), o.Width, o.Height)
	r := stream(o.Seed, "shake")
	var phase [6]float64
	for i := range phase {
		phase[i] = between(r, 0, 2*math.Pi)
	}
	shake := math.Max(0, o.Shake)
	for i := range o.Frames {
		t := float64(i) / float64(o.FPS)
		// A hand trembles at a few hertz over a slow drift; the frequencies
		// repeat after the last frame, so that a looped file has no jump.
		loop := 2 * math.Pi * float64(i) / float64(o.Frames)
		x := shake * (math.Sin(loop+phase[0]) + 0.35*math.Sin(7*loop+phase[1]))
		y := shake * (math.Sin(2*loop+phase[2]) + 0.35*math.Sin(9*loop+phase[3]))
		turn := shake * 0.0008 * math.Sin(loop+phase[4])
		grow := 1.02 + shake*0.0006*math.Sin(2*loop+phase[5])
		w, h := float64(o.Width), float64(o.Height)
		m := translate(-w/2, -h/2).then(stretch(grow, grow)).then(rotate(turn)).then(translate(w/2+x, h/2+y))
		frame := warp(base, m, o.Width, o.Height, gocv.InterpolationLinear, edgeReflect)
		Camera{Seed: o.Seed + int64(i), Noise: 2}.sensor(frame)
		if err := write(frame); err != nil {
			return fmt.Errorf("write video: frame at %.2f s: %w", t, err)
		}
	}
	return nil
}

// fitted scales a picture to fill the frame if it is about as wide, otherwise
// to stand in it with its own blurred self on both sides, as players do with
// upright videos.
func fitted(img *image.RGBA, w, h int) *image.RGBA {
	iw, ih := float64(img.Rect.Dx()), float64(img.Rect.Dy())
	cover := math.Max(float64(w)/iw, float64(h)/ih)
	contain := math.Min(float64(w)/iw, float64(h)/ih)
	place := func(k float64) matrix {
		return stretch(k, k).then(translate((float64(w)-iw*k)/2, (float64(h)-ih*k)/2))
	}
	if cover/contain < 1.12 {
		return warp(shrunk(img, cover), stretchBack(img, cover).then(place(cover)), w, h, gocv.InterpolationLinear, edgeReplicate)
	}
	around := blurredBy(warp(img, place(cover), w, h, gocv.InterpolationLinear, edgeReplicate), 28, 28)
	inside := warp(shrunk(img, contain), stretchBack(img, contain).then(place(contain)), w, h, gocv.InterpolationLinear, edgeClear)
	for i := 0; i < len(around.Pix); i += 4 {
		a := uint32(inside.Pix[i+3])
		for ch := range 3 {
			around.Pix[i+ch] = uint8((uint32(inside.Pix[i+ch])*a + uint32(around.Pix[i+ch])*(255-a)) / 255)
		}
	}
	return around
}

// shrunk reduces an image by area when k asks for much less of it; stretchBack
// maps its pixels to the original's.
func shrunk(img *image.RGBA, k float64) *image.RGBA {
	if k > 0.8 {
		return img
	}
	return resized(img, round(float64(img.Rect.Dx())*k), round(float64(img.Rect.Dy())*k), gocv.InterpolationArea)
}

func stretchBack(img *image.RGBA, k float64) matrix {
	s := shrunkSize(img, k)
	return stretch(float64(img.Rect.Dx())/s[0], float64(img.Rect.Dy())/s[1])
}

func shrunkSize(img *image.RGBA, k float64) [2]float64 {
	if k > 0.8 {
		return [2]float64{float64(img.Rect.Dx()), float64(img.Rect.Dy())}
	}
	return [2]float64{float64(round(float64(img.Rect.Dx()) * k)), float64(round(float64(img.Rect.Dy()) * k))}
}
