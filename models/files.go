package models

import "context"

// FetchFiles installs files that are not of the manifest, such as the pictures
// of the specimen generator, under the same guarantees as Fetch: what is
// present and verified is left alone, everything else is verified before it
// takes its name.
func FetchFiles(ctx context.Context, dir string, files []Model, progress Progress) error {
	for _, f := range files {
		if err := f.check(); err != nil {
			return &FetchError{Role: f.Role, Err: err}
		}
	}
	return newFetcher(dir, progress).fetch(ctx, files)
}
