package specimen

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/proofline/proofline/models"
)

// portraitsOrSkip skips where the pictures have not been fetched.
func portraitsOrSkip(t testing.TB) *Portraits {
	t.Helper()
	ps, err := OpenPortraits("")
	var missing *MissingPortraitsError
	if errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

func TestACaseHoldsDecodablePhotosAndSaysWhoIsOnThem(t *testing.T) {
	ps := portraitsOrSkip(t)
	drawOrSkip(t, 1, Options{DPI: 100})
	for _, kind := range CaseKinds {
		c, err := Stage(kind, 4, ps, CaseOptions{Format: TD1})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"document_front", "document_back", "selfie"} {
			if _, err := jpeg.DecodeConfig(bytes.NewReader(c.Files[name])); err != nil {
				t.Errorf("%s %s: %v", kind, name, err)
			}
		}
		if same := c.SelfiePerson == c.Truth.Person; same == (kind == CaseOtherPerson) {
			t.Errorf("%s: document of %s, selfie of %s", kind, c.Truth.Person, c.SelfiePerson)
		}
		if c.Claims["document_number"] != c.Truth.Identity.DocumentNumber {
			t.Errorf("%s: claims %v", kind, c.Claims)
		}
	}
}

func TestAStagedCaseIsTheSameEveryTime(t *testing.T) {
	ps := portraitsOrSkip(t)
	drawOrSkip(t, 1, Options{DPI: 100})
	a, err := Stage(CaseReplay, 9, ps, CaseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Stage(CaseReplay, 9, ps, CaseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name := range a.Files {
		if !bytes.Equal(a.Files[name], b.Files[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestEveryPictureNamesItsSourceAndLicence(t *testing.T) {
	pictures, err := Pictures()
	if err != nil {
		t.Fatal(err)
	}
	l, err := readPortraitList()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, p := range pictures {
		known[p.File] = true
		if p.Licence == "" || p.Credit == "" || len(p.SHA256) != 64 || p.Size <= 0 || p.Package == "" || p.Version == "" {
			t.Errorf("%+v is incomplete", p)
		}
	}
	chosen := 0
	for _, p := range l.People {
		if !known[p.File] || (p.Sex != "F" && p.Sex != "M") || len(p.Outline)%2 != 0 || len(p.Outline) < 20 {
			t.Errorf("%s is incomplete", p.ID)
		}
		if !p.Optional {
			chosen++
		}
	}
	if chosen < 4 {
		t.Errorf("%d people to choose from, want 4 or more", chosen)
	}
}

func TestMissingPicturesAreNamedWithTheCommandThatFetchesThem(t *testing.T) {
	_, err := OpenPortraits(t.TempDir())
	var missing *MissingPortraitsError
	if !errors.As(err, &missing) || len(missing.Files) == 0 {
		t.Fatalf("got %v", err)
	}
	if _, err := Stage(CaseGood, 1, nil, CaseOptions{}); !errors.As(err, &missing) {
		t.Errorf("a case without portraits: %v", err)
	}
}

func TestAChangedPictureIsRefused(t *testing.T) {
	dir := t.TempDir()
	pictures, err := Pictures()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, pictures[0].File), make([]byte, pictures[0].Size), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPortraits(dir); err == nil || errors.As(err, new(*MissingPortraitsError)) {
		t.Errorf("got %v", err)
	}
}

func TestAVideoHasItsFramesAtItsSize(t *testing.T) {
	doc, _ := target()
	o := VideoOptions{Width: 320, Height: 180, Frames: 5}
	var mjpeg bytes.Buffer
	if err := WriteMJPEG(&mjpeg, doc, o); err != nil {
		t.Fatal(err)
	}
	// Every file ends with EOI and the next begins with SOI; neither occurs
	// within entropy-coded data.
	frames := bytes.SplitAfter(mjpeg.Bytes(), []byte{0xff, 0xd9})
	frames = frames[:len(frames)-1]
	for i, frame := range frames {
		img, err := jpeg.Decode(bytes.NewReader(frame))
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if img.Bounds() != image.Rect(0, 0, 320, 180) {
			t.Errorf("frame %d is %v", i, img.Bounds())
		}
	}
	if len(frames) != 5 {
		t.Errorf("%d frames, want 5", len(frames))
	}
	var y4m bytes.Buffer
	if err := WriteY4M(&y4m, doc, o); err != nil {
		t.Fatal(err)
	}
	header, _, _ := bytes.Cut(y4m.Bytes(), []byte("\n"))
	if want := len(header) + 1 + 5*(len("FRAME\n")+320*180*3/2); y4m.Len() != want {
		t.Errorf("y4m has %d bytes, want %d", y4m.Len(), want)
	}
}

func TestWrittenManifestsNameFilesThatExist(t *testing.T) {
	drawOrSkip(t, 1, Options{DPI: 100})
	o := WriteOptions{Seed: 3, Count: 2, Formats: []Format{TD1, TD3}, Degradations: []Degradation{Good, LowResolution}, Manifest: true, Flat: true}
	if ps, err := OpenPortraits(""); err == nil {
		o.Portraits = ps
	}
	dir := t.TempDir()
	done, err := Write(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if done.Documents != 2 || done.Photos != 6 {
		t.Errorf("%+v: want 2 documents and 6 photos (a card has two sides)", done)
	}
	for _, name := range done.Manifests {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
			var row struct{ File, A, B string }
			if err := json.Unmarshal(line, &row); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, f := range []string{row.File, row.A, row.B} {
				if _, err := os.Stat(filepath.Join(dir, f)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

func TestFetchIsNotNeededWhenThePicturesAreThere(t *testing.T) {
	portraitsOrSkip(t)
	fetched := 0
	err := FetchPortraits(t.Context(), "", func(e models.Event) {
		if e.Kind == models.Downloading {
			fetched++
		}
	})
	if err != nil || fetched > 0 {
		t.Errorf("%v, %s downloads", err, strconv.Itoa(fetched))
	}
}
