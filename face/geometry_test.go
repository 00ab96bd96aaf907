package face

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/proofline/proofline/photo"
)

func upright() Face {
	return Face{
		Box:    photo.Rect{X: 100, Y: 100, W: 100, H: 100},
		Points: []photo.Point{{X: 130, Y: 140}, {X: 170, Y: 140}, {X: 150, Y: 163}, {X: 150, Y: 186}, {X: 110, Y: 150}, {X: 190, Y: 150}},
		Score:  0.9,
	}
}

func turned(f Face, degrees float64) Face {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return f.mapped(func(p photo.Point) photo.Point {
		return photo.Point{X: 300 + p.X*cos - p.Y*sin, Y: 300 + p.X*sin + p.Y*cos}
	})
}

func TestTheSimilarityTransformIsRecoveredFromItsPoints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := similarity{
			a:  rapid.Float64Range(0.1, 5).Draw(t, "a"),
			b:  rapid.Float64Range(-5, 5).Draw(t, "b"),
			tx: rapid.Float64Range(-500, 500).Draw(t, "tx"),
			ty: rapid.Float64Range(-500, 500).Draw(t, "ty"),
		}
		from := upright().Points[:4]
		got, ok := fitSimilarity(from, mapPoints(from, want.at))
		if !ok {
			t.Fatal("no transform")
		}
		for _, p := range from {
			if d := got.at(p).Distance(want.at(p)); d > 1e-6 {
				t.Fatalf("%v lands %g away", p, d)
			}
		}
	})
}

func TestPointsThatCoincideGiveNoAlignment(t *testing.T) {
	p := photo.Point{X: 5, Y: 5}
	if _, ok := fitSimilarity([]photo.Point{p, p, p, p}, upright().Points[:4]); ok {
		t.Error("a transform from one point")
	}
}

func TestRollFollowsTheTurnOfTheHead(t *testing.T) {
	for _, deg := range []float64{0, 15, -40, 90, 179} {
		f := turned(upright(), deg)
		if math.Abs(f.Roll()-deg) > 1e-6 {
			t.Errorf("turned by %v: roll %v", deg, f.Roll())
		}
		if math.Abs(f.Yaw()) > 1e-6 {
			t.Errorf("turned by %v: yaw %v", deg, f.Yaw())
		}
	}
}

func TestYawHasTheSignOfTheSideThatTheNosePointsTo(t *testing.T) {
	f := upright()
	f.Points[Nose].X += 10
	if f.Yaw() < 10 || f.Yaw() > 60 {
		t.Errorf("yaw %v", f.Yaw())
	}
	f.Points[Nose].X -= 20
	if f.Yaw() > -10 {
		t.Errorf("yaw %v", f.Yaw())
	}
}

func TestAFaceWithoutPointsHasNoAnglesAndDoesNotPanic(t *testing.T) {
	var f Face
	if f.Roll() != 0 || f.Yaw() != 0 || f.Pitch() != 0 || f.InterEye() != 0 {
		t.Error("angles out of nothing")
	}
}

func TestTilesCoverThePictureAndStayFew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.IntRange(minSide, 9000).Draw(t, "w")
		h := rapid.IntRange(minSide, 9000).Draw(t, "h")
		fine := rapid.Bool().Draw(t, "fine")
		ts := tiles(w, h, fine)
		if len(ts) == 0 || len(ts) > maxTiles {
			t.Fatalf("%d tiles for %d×%d", len(ts), w, h)
		}
		x, y := rapid.IntRange(0, w).Draw(t, "x"), rapid.IntRange(0, h).Draw(t, "y")
		for _, r := range ts {
			const e = 1e-6
			if float64(x) >= r.X-e && float64(x) <= r.X+r.W+e && float64(y) >= r.Y-e && float64(y) <= r.Y+r.H+e {
				return
			}
		}
		t.Fatalf("no tile of %d×%d holds (%d, %d)", w, h, x, y)
	})
}

func TestMergingKeepsOneFaceOfAClusterBetweenItsMembers(t *testing.T) {
	a, b := upright(), upright()
	b.Box.X += 4
	b.Score = 0.7
	far := turned(upright(), 0)
	got := merge([]Face{b, far, a}, 0.3)
	if len(got) != 2 || got[0].Score != 0.9 {
		t.Fatalf("%d faces, first %+v", len(got), got[0])
	}
	x := math.Min(got[0].Box.X, got[1].Box.X)
	if x <= 100 || x >= 104 {
		t.Errorf("merged box at %v", x)
	}
}

func TestTheMainFaceIsTheCentralOneBeforeALargerOneAtTheEdge(t *testing.T) {
	centre, edge, small := upright(), upright(), upright()
	centre.Box = photo.Rect{X: 250, Y: 180, W: 120, H: 120}
	edge.Box = photo.Rect{X: 500, Y: 330, W: 140, H: 140}
	small = small.mapped(func(p photo.Point) photo.Point { return photo.Point{X: p.X * 0.3, Y: p.Y * 0.3} })
	i, others := Main([]Face{edge, centre, small}, 640, 480)
	if i != 1 || others != 1 {
		t.Errorf("main %d, %d others", i, others)
	}
	if i, others := Main(nil, 640, 480); i != -1 || others != 0 {
		t.Errorf("no faces: %d, %d", i, others)
	}
}

func TestSimilarityOfUnlikeVectorsIsZeroNotAPanic(t *testing.T) {
	if Cosine(Embedding{1}, Embedding{1, 0}) != 0 || Cosine(nil, nil) != 0 || Cosine(Embedding{0}, Embedding{0}) != 0 {
		t.Error("a similarity out of nothing")
	}
	if s := Cosine(Embedding{3, 4}, Embedding{3, 4}); math.Abs(s-1) > 1e-9 {
		t.Errorf("self %v", s)
	}
	nan := float32(math.NaN())
	if normalised(Embedding{nan, 1}) != nil || normalised(Embedding{0, 0}) != nil {
		t.Error("an embedding of nothing")
	}
}

func TestCandidatesThatAreNotFiniteOrNoFaceAreRefused(t *testing.T) {
	if !upright().plausible() {
		t.Fatal("the model face")
	}
	broken := []func(*Face){
		func(f *Face) { f.Box.W = math.NaN() },
		func(f *Face) { f.Box.X = math.Inf(1) },
		func(f *Face) { f.Box.H = -3 },
		func(f *Face) { f.Points[Nose].X = math.NaN() },
		func(f *Face) { f.Points[Mouth].Y = 5000 },
		func(f *Face) { f.Points[LeftEye] = f.Points[RightEye] },
		func(f *Face) { f.Points = f.Points[:2] },
	}
	for i, spoil := range broken {
		f := upright()
		spoil(&f)
		if f.plausible() {
			t.Errorf("case %d passes", i)
		}
	}
}
