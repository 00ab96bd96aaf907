package ocr

import "testing"

// BenchmarkPage reads a form of eight fields at the size of a passport page that
// fills 2 megapixels. One Tesseract thread: OMP_THREAD_LIMIT=1.
func BenchmarkPage(b *testing.B) {
	p, err := NewPool(PoolOptions{})
	if err != nil {
		b.Skip(err)
	}
	defer p.Close()
	rd := &Reader{Page: p}
	if names, err := NewPool(PoolOptions{Language: "Latin", NoWords: true}); err == nil {
		defer names.Close()
		rd.Names = names
	}
	m := form("Surname", "ERIKSSON", "Given names", "ANNA MARIA", "Date of birth", "12 AUG 1974", "Passport No.", "L898902C3",
		"Place of birth", "ZENITH", "Date of issue", "16 APR 2022", "Date of expiry", "15 APR 2032", "Authority", "PASSPORT OFFICE")
	defer m.Close()
	for b.Loop() {
		if _, err := rd.Read(b.Context(), Sheet{Image: m, Class: "passport_page"}, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
