package storage

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
)

// encryption is the reader of an object's stored bytes.
type encryption struct {
	*io.PipeReader
	sum     hash.Hash
	plain   int64
	readErr error // of the plaintext, after which trying again is no use
	done    chan struct{}
}

func newEncryption(r io.Reader, dek []byte, b binding) *encryption {
	pr, pw := io.Pipe()
	e := &encryption{PipeReader: pr, sum: sha256.New(), done: make(chan struct{})}
	go func() {
		defer close(e.done)
		pw.CloseWithError(e.run(pw, r, dek, b))
	}()
	return e
}

func (e *encryption) run(w io.Writer, r io.Reader, dek []byte, b binding) error {
	enc, err := encrypt(io.MultiWriter(w, e.sum), dek, b)
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		e.plain += int64(n)
		if _, werr := enc.Write(buf[:n]); werr != nil {
			return werr
		}
		if err == io.EOF {
			return enc.Close()
		}
		if err != nil {
			e.readErr = err
			return fmt.Errorf("read plaintext: %w", err)
		}
	}
}

// Close stops the encryption and waits for it; only then may its fields be read.
func (e *encryption) Close() error {
	err := e.PipeReader.Close()
	<-e.done
	return err
}
