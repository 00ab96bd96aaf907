package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// writeFile writes a file, or standard output when path is "-". The file gets its
// name when it is whole: what an interrupted export leaves is not taken for one,
// and an earlier one stays. A pipe or a device is written as it is.
func writeFile(path string, write func(io.Writer) error) error {
	if path == "-" {
		w := bufio.NewWriter(os.Stdout)
		return errors.Join(write(w), w.Flush())
	}
	mode := os.FileMode(0o666) // less what the umask takes
	switch there, err := os.Stat(path); {
	case err == nil && !there.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	case err == nil:
		mode = there.Mode().Perm()
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
	}
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		_ = os.Remove(part)
	}
	return err
}
