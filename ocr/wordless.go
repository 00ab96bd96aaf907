package ocr

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A traineddata file begins with the number of its parts (int32) and where
// each begins (int64, -1 for a part that is absent), little-endian
// (Tesseract's ccutil/tessdatamanager.h). The word list of the LSTM engine is
// part 19 there.
const (
	wordListPart  = 19
	maxParts      = 64
	maxTrained    = 512 << 20 // the largest script of tessdata_best has 100 MB
	trainedSuffix = ".traineddata"
)

// withoutWords writes a copy of a language's trained data that has no word
// list, and returns its directory, which the caller removes. Of the 89 MB of
// the Latin script's data the list is 99 %, and Tesseract holds the file twice
// while it loads; names and places are no dictionary words.
func withoutWords(tessdata, language string) (string, error) {
	in, err := os.Open(filepath.Join(tessdata, language+trainedSuffix))
	if err != nil {
		return "", err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return "", err
	}
	parts, err := trainedParts(in, st.Size())
	if err != nil {
		return "", fmt.Errorf("%s: %w", in.Name(), err)
	}
	dir, err := os.MkdirTemp("", "proofline-tessdata-")
	if err != nil {
		return "", err
	}
	if err := writeTrained(filepath.Join(dir, language+trainedSuffix), in, parts); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("copy trained data without its words: %w", err)
	}
	return dir, nil
}

// part is where a part of a traineddata file lies; size is 0 for none.
type part struct{ at, size int64 }

// trainedParts reads the table of a file of the given size. It accepts only
// parts that follow one another.
func trainedParts(r io.ReaderAt, size int64) ([]part, error) {
	var head [4]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("trained data is too short: %w", err)
	}
	n := int(int32(binary.LittleEndian.Uint32(head[:])))
	if n < 1 || n > maxParts || size > maxTrained {
		return nil, fmt.Errorf("not trained data of Tesseract: %d parts in %d bytes", n, size)
	}
	table := make([]byte, 8*n)
	if _, err := r.ReadAt(table, 4); err != nil {
		return nil, fmt.Errorf("trained data is too short: %w", err)
	}
	parts := make([]part, n)
	end := size
	for i := n - 1; i >= 0; i-- {
		at := int64(binary.LittleEndian.Uint64(table[8*i:]))
		if at == -1 {
			continue
		}
		if at < int64(4+len(table)) || at > end {
			return nil, fmt.Errorf("part %d of the trained data begins at %d, outside %d to %d", i, at, 4+len(table), end)
		}
		parts[i] = part{at, end - at}
		end = at
	}
	return parts, nil
}

// writeTrained writes the parts but the word list to a new file.
func writeTrained(path string, in io.ReaderAt, parts []part) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	table := binary.LittleEndian.AppendUint32(nil, uint32(len(parts)))
	next := int64(4 + 8*len(parts))
	for i, p := range parts {
		at := int64(-1)
		if p.size > 0 && i != wordListPart {
			at, next = next, next+p.size
		}
		table = binary.LittleEndian.AppendUint64(table, uint64(at))
	}
	if _, err := out.Write(table); err != nil {
		return err
	}
	for i, p := range parts {
		if p.size == 0 || i == wordListPart {
			continue
		}
		if _, err := io.Copy(out, io.NewSectionReader(in, p.at, p.size)); err != nil {
			return err
		}
	}
	return out.Close()
}
