package quality

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// sheetOf draws a document-like sheet, 125 × 88 mm at 8 px/mm: grey-green
// paper, lines of bars as print, a darker block as portrait.
func sheetOf(paper uint8) gocv.Mat {
	m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(float64(paper)-10, float64(paper), float64(paper)-20, 0), 704, 1000, gocv.MatTypeCV8UC3)
	r := rand.New(rand.NewPCG(5, 6))
	for y := 40; y < 680; y += 36 {
		for x := 320; x < 960; {
			w := 3 + r.IntN(9)
			gocv.Rectangle(&m, image.Rect(x, y, x+w, y+18), color.RGBA{40, 30, 30, 0}, -1)
			x += w + 4 + r.IntN(10)
		}
	}
	gocv.Rectangle(&m, image.Rect(40, 120, 280, 440), color.RGBA{120, 100, 90, 0}, -1)
	p, _ := m.DataPtrUint8()
	for i := range p {
		p[i] = uint8(math.Max(0, math.Min(255, float64(p[i])+2*r.NormFloat64())))
	}
	return m
}

var sheetInfo = DocumentInfo{PxPerMM: 8, SourcePxPerMM: 10, Class: "passport_page"}

func valueOf(t *testing.T, ms []Measure, name string) float64 {
	t.Helper()
	for _, m := range ms {
		if m.Name == name {
			return m.Value
		}
	}
	t.Fatalf("%s was not measured", name)
	return 0
}

func TestSharpnessFallsAsBlurGrowsAndMotionIsToldFromDefocus(t *testing.T) {
	last := math.MaxFloat64
	for _, sigma := range []float64{0, 1, 2, 3, 4} {
		m := sheetOf(200)
		if sigma > 0 {
			gocv.GaussianBlur(m, &m, image.Pt(0, 0), sigma, sigma, gocv.BorderReplicate)
		}
		ms := Document(m, sheetInfo)
		v := valueOf(t, ms, "document.sharpness")
		if v >= last {
			t.Errorf("σ %.0f px: %.2f cycles/mm, not below %.2f", sigma, v, last)
		}
		if want := 0.1874 / sigma * 8; sigma >= 2 && sigma <= 3 && math.Abs(v-want) > 0.3*want {
			t.Errorf("σ %.0f px: %.2f cycles/mm, theory says %.2f", sigma, v, want)
		}
		if r := valueOf(t, ms, "document.motion"); r > 1.45 {
			t.Errorf("σ %.0f px: motion ratio %.2f without motion", sigma, r)
		}
		last = v
		m.Close()
	}
	m := sheetOf(200)
	defer m.Close()
	gocv.Blur(m, &m, image.Pt(15, 1))
	if r := valueOf(t, Document(m, sheetInfo), "document.motion"); r < 1.5 {
		t.Errorf("motion ratio %.2f for a streak of 15 px", r)
	}
}

func TestTheSameBlurMeasuresTheSameAtEveryResolution(t *testing.T) {
	m := sheetOf(200)
	defer m.Close()
	gocv.GaussianBlur(m, &m, image.Pt(0, 0), 3, 3, gocv.BorderReplicate)
	a := valueOf(t, Document(m, sheetInfo), "document.sharpness")
	big := gocv.NewMat()
	defer big.Close()
	gocv.Resize(m, &big, image.Point{}, 2, 2, gocv.InterpolationCubic)
	info := sheetInfo
	info.PxPerMM = 16
	if b := valueOf(t, Document(big, info), "document.sharpness"); math.Abs(a-b) > 0.15*a {
		t.Errorf("%.2f cycles/mm at 8 px/mm, %.2f at 16", a, b)
	}
}

// reflect adds a soft bright spot.
func reflect(m gocv.Mat, cx, cy, radius, strength float64) {
	p, _ := m.DataPtrUint8()
	for y := 0; y < m.Rows(); y++ {
		for x := 0; x < m.Cols(); x++ {
			d := math.Hypot(float64(x)-cx, float64(y)-cy) / radius
			add := strength * math.Exp(-d*d)
			for c := range 3 {
				i := 3*(y*m.Cols()+x) + c
				p[i] = uint8(math.Min(255, float64(p[i])+add))
			}
		}
	}
}

func TestGlareIsFoundWhereItIsAndNowhereElse(t *testing.T) {
	m := sheetOf(190)
	defer m.Close()
	clean := Document(m, sheetInfo)
	if v := valueOf(t, clean, "document.glare_area"); v != 0 {
		t.Errorf("a clean sheet has %.4f glare", v)
	}
	reflect(m, 500, 620, 90, 400)
	info := sheetInfo
	info.Portrait = &photo.Rect{X: 40, Y: 120, W: 240, H: 320}
	ms := Document(m, info)
	if valueOf(t, ms, "document.glare_area") < 0.01 || valueOf(t, ms, "document.glare_mrz") < 0.05 || valueOf(t, ms, "document.glare_portrait") != 0 {
		t.Errorf("area %.3f, on the zone %.3f, on the portrait %.3f", valueOf(t, ms, "document.glare_area"),
			valueOf(t, ms, "document.glare_mrz"), valueOf(t, ms, "document.glare_portrait"))
	}
	for _, x := range ms {
		if x.Name == "document.glare_area" && (len(x.Regions) != 1 || !(x.Regions[0].X < 500 && x.Regions[0].X+x.Regions[0].W > 500)) {
			t.Errorf("regions %v", x.Regions)
		}
	}
}

func TestPaperThatFadesIntoWhiteIsNoGlareWhereItsInkIsBlack(t *testing.T) {
	bars := func(m gocv.Mat) {
		for x := 120; x < 880; x += 14 {
			gocv.Rectangle(&m, image.Rect(x, 560, x+6, 660), color.RGBA{10, 10, 10, 0}, -1)
		}
	}
	m := sheetOf(190)
	defer m.Close()
	reflect(m, 500, 610, 300, 400)
	if v := valueOf(t, Document(m, sheetInfo), "document.glare_area"); v < 0.1 {
		t.Errorf("light over the print counts as %.3f glare", v)
	}
	bars(m) // printed on white, as dark as ever
	if v := valueOf(t, Document(m, sheetInfo), "document.glare_area"); v != 0 {
		t.Errorf("a barcode on a white ground that fades counts as %.3f glare", v)
	}
}

func TestWhitePaperAndHologramColoursAreNoGlare(t *testing.T) {
	white := sheetOf(190)
	defer white.Close()
	gocv.Rectangle(&white, image.Rect(500, 300, 900, 600), color.RGBA{255, 255, 255, 0}, -1)
	if v := valueOf(t, Document(white, sheetInfo), "document.glare_area"); v != 0 {
		t.Errorf("a white panel with a sharp edge counts as %.3f glare", v)
	}
	holo := sheetOf(190)
	defer holo.Close()
	p, _ := holo.DataPtrUint8()
	for y := 200; y < 500; y++ {
		for x := 500; x < 800; x++ {
			d := math.Hypot(float64(x-650), float64(y-350)) / 100
			a := math.Exp(-d * d)
			for c := range 3 { // bright bands of saturated colour
				i := 3*(y*1000+x) + c
				p[i] = uint8(math.Min(255, float64(p[i])*(1-a)+a*(128+127*math.Sin(float64(x)/18+float64(c)*2.1))))
			}
		}
	}
	if v := valueOf(t, Document(holo, sheetInfo), "document.glare_area"); v > 0.002 {
		t.Errorf("a hologram counts as %.4f glare", v)
	}
}

func TestBlankPicturesAreBlankAndNoiseIsNot(t *testing.T) {
	for _, v := range []float64{0, 128, 255} {
		m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(v, v, v, 0), 300, 400, gocv.MatTypeCV8UC3)
		if b := valueOf(t, Photo(m), "photo.blank"); b != 1 {
			t.Errorf("level %.0f: blank %.2f", v, b)
		}
		m.Close()
	}
	m := sheetOf(200)
	defer m.Close()
	if b := valueOf(t, Photo(m), "photo.blank"); b > 0.5 {
		t.Errorf("a printed sheet is %.2f blank", b)
	}
	for _, sz := range []image.Point{{1, 1}, {3, 2000}, {2000, 3}, {0, 0}} {
		m := gocv.NewMatWithSize(sz.Y, sz.X, gocv.MatTypeCV8UC3)
		_, _, _ = Photo(m), Document(m, DocumentInfo{}), Face(m, FaceInfo{Box: photo.Rect{W: 50, H: 50}})
		m.Close()
	}
}

func TestAScreenshotRepeatsItsPixels(t *testing.T) {
	m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(220, 210, 200, 0), 600, 400, gocv.MatTypeCV8UC3)
	defer m.Close()
	gocv.PutText(&m, "Settings", image.Pt(30, 80), gocv.FontHersheySimplex, 1, color.RGBA{0, 0, 0, 0}, 2)
	sheet := sheetOf(200)
	defer sheet.Close()
	if a, b := valueOf(t, Photo(m), "photo.screenshot"), valueOf(t, Photo(sheet), "photo.screenshot"); a < 0.6 || b > 0.3 {
		t.Errorf("screenshot %.2f, noisy sheet %.2f", a, b)
	}
}

func TestCoarseCompressionShowsInItsBlocks(t *testing.T) {
	m := sheetOf(200)
	defer m.Close()
	value := func(q int) float64 {
		b, err := photo.Encode(m, q)
		if err != nil {
			t.Fatal(err)
		}
		i, err := photo.Decode(b, photo.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		info := sheetInfo
		info.Photo, info.Quad = &i.Mat, photo.Rect{W: 1000, H: 704}.Quad()
		return valueOf(t, Document(i.Mat, info), "document.compression")
	}
	if fine, coarse := value(92), value(8); coarse < 2*fine+0.3 {
		t.Errorf("quality 92: %.2f, quality 8: %.2f", fine, coarse)
	}
}

func TestAFaceTurnedAndUnevenlyLitMeasuresSo(t *testing.T) {
	m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(140, 150, 170, 0), 400, 400, gocv.MatTypeCV8UC3)
	defer m.Close()
	gocv.Rectangle(&m, image.Rect(200, 0, 400, 400), color.RGBA{60, 50, 40, 0}, -1)
	f := FaceInfo{Box: photo.Rect{X: 100, Y: 80, W: 200, H: 240}, Count: 1,
		Points: []photo.Point{{X: 150, Y: 160}, {X: 250, Y: 160}, {X: 225, Y: 210}, {X: 205, Y: 260}}}
	ms := Face(m, f)
	if v := valueOf(t, ms, "face.pose_yaw"); v < 15 || v > 35 {
		t.Errorf("yaw %.1f°", v)
	}
	if v := valueOf(t, ms, "face.inter_eye_px"); v != 100 {
		t.Errorf("eyes %.1f px apart", v)
	}
	if v := valueOf(t, ms, "face.illumination_uniformity"); v > 0.1 {
		t.Errorf("uniformity %.2f for a face half in shadow", v)
	}
}

func TestNothingIsLeftOpenWhereReflectionsCanNotBeLookedFor(t *testing.T) {
	r := &raster{w: 32, h: 32, colour: gocv.NewMat(), grey: gocv.NewMat()} // no pixels: OpenCV refuses
	defer r.close()
	if _, mask, _, ok := findGlare(r); ok || !mask.Closed() {
		t.Errorf("found %v, mask closed %v", ok, mask.Closed())
	}
}

func TestLightIsNotMeasuredOnACheekThatIsNotInThePicture(t *testing.T) {
	m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(140, 150, 170, 0), 400, 400, gocv.MatTypeCV8UC3)
	defer m.Close()
	f := FaceInfo{Box: photo.Rect{X: 100, Y: 80, W: 200, H: 240}, Count: 1, // in profile: the far eye lies beside the box
		Points: []photo.Point{{X: 88, Y: 160}, {X: 148, Y: 160}, {X: 95, Y: 200}, {X: 110, Y: 250}}}
	for _, m := range Face(m, f) {
		if m.Name == "face.illumination_uniformity" {
			t.Errorf("uniformity %.2f of an evenly lit face", m.Value)
		}
	}
}

func BenchmarkMeasures(b *testing.B) {
	m := sheetOf(200)
	defer m.Close()
	reflect(m, 500, 620, 90, 400)
	r, _ := newRaster(m, 1)
	defer r.close()
	info := sheetInfo
	info.Photo, info.Quad = &m, photo.Rect{X: 100, Y: 100, W: 800, H: 500}.Quad()
	for name, f := range map[string]func(){
		"blur":        func() { measureBlur(r) },
		"glare":       func() { _, k, _, _ := findGlare(r); k.Close() },
		"tone":        func() { r.grid = nil; measureTone(r) },
		"contrast":    func() { localContrast(r) },
		"shadow":      func() { shadow(r) },
		"chroma":      func() { chroma(r) },
		"screen":      func() { screenPattern(info) },
		"occlusion":   func() { occlusion(m, info) },
		"compression": func() { blockiness(r.luma, r.w, r.h, 8) },
		"flatness":    func() { flatness(r) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
		})
	}
}

func TestAFrontalWellLitFaceHasHighComponentValues(t *testing.T) {
	m := sheetOf(180)
	defer m.Close()
	f := FaceInfo{Box: photo.Rect{X: 300, Y: 150, W: 400, H: 450}, Points: []photo.Point{{X: 420, Y: 300}, {X: 580, Y: 300}, {X: 500, Y: 373}, {X: 500, Y: 440}}}
	quality := func(name string) float64 {
		for _, x := range Face(m, f) {
			if x.Name == name && x.Quality != nil {
				return *x.Quality
			}
		}
		t.Fatalf("%s has no component value", name)
		return 0
	}
	for _, name := range []string{"face.inter_eye_px", "face.pose_yaw", "face.pose_pitch", "face.pose_roll"} {
		if q := quality(name); q < 95 || q > 100 {
			t.Errorf("%s of a frontal face: %.0f", name, q)
		}
	}
	f.Points[2] = photo.Point{X: 560, Y: 420} // the nose at the corner of the mouth
	if yaw, pitch := quality("face.pose_yaw"), quality("face.pose_pitch"); yaw > 75 || pitch > 75 {
		t.Errorf("turned away: yaw %.0f, pitch %.0f", yaw, pitch)
	}
	for v, want := range map[float64]float64{0: 100, 0.5: 100, 0.92: 40, 1: 0} { // 120·(0.832 − ½) = 40
		if q := *component("under_exposure", v); math.Abs(q-want) > 1 {
			t.Errorf("under-exposure %.2f: %.0f, want %.0f", v, q, want)
		}
	}
}

func TestAPlainBackgroundIsMoreUniformThanAFullOne(t *testing.T) {
	f := FaceInfo{Box: photo.Rect{X: 220, Y: 150, W: 160, H: 200}, Points: []photo.Point{{X: 266, Y: 220}, {X: 334, Y: 220}, {X: 300, Y: 255}, {X: 300, Y: 290}}}
	plain := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(200, 205, 210, 0), 500, 600, gocv.MatTypeCV8UC3)
	defer plain.Close()
	gocv.Circle(&plain, image.Pt(300, 240), 80, color.RGBA{170, 130, 110, 0}, -1) // the head does not count
	full := plain.Clone()
	defer full.Close()
	for x := 0; x < 600; x += 20 {
		gocv.Rectangle(&full, image.Rect(x, 0, x+8, 160), color.RGBA{40, 60, 80, 0}, -1)
	}
	quality := func(m gocv.Mat) float64 {
		for _, x := range Face(m, f) {
			if x.Name == "face.background_uniformity" {
				return *x.Quality
			}
		}
		t.Fatal("the background was not measured")
		return 0
	}
	if a, b := quality(plain), quality(full); a < 95 || b > 40 {
		t.Errorf("plain %.0f, full %.0f", a, b)
	}
	tight := plain.Region(image.Rect(220, 150, 380, 350))
	defer tight.Close()
	for _, x := range Face(tight, FaceInfo{Box: photo.Rect{W: 160, H: 200}, Points: []photo.Point{{X: 46, Y: 70}, {X: 114, Y: 70}}}) {
		if x.Name == "face.background_uniformity" {
			t.Errorf("a picture of nothing but the face has a background of %.1f", x.Value)
		}
	}
}
