package storage

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"
)

// Problem is one place where rows and blobs do not agree.
type Problem struct {
	Kind    string `json:"kind"` // see the constants
	Region  string `json:"region,omitempty"`
	Key     string `json:"key"`
	Object  string `json:"object,omitempty"`
	Session string `json:"session,omitempty"`
	Class   Class  `json:"class,omitempty"`
	// Repaired: the blob was removed.
	Repaired bool `json:"repaired,omitempty"`
}

// Kinds of problems.
const (
	MissingBlob  = "missing_blob"  // a row says that there is an object; there is none
	WrongSize    = "wrong_size"    // it has another size than what was stored
	OrphanBlob   = "orphan_blob"   // a blob that no row knows
	LeftoverBlob = "leftover_blob" // a blob whose row says that it was deleted
)

// CheckOptions say how thorough Check is.
type CheckOptions struct {
	// Repair removes blobs that belong to nothing.
	Repair bool
	// Grace is how old a blob without a row must be; 0 means a day. A restored
	// database may not know the newest objects: see before you repair.
	Grace time.Duration
	// Found is told of each problem.
	Found func(Problem)
	// Seen is called for each row and blob that was looked at, for progress.
	Seen func()
}

// CheckReport counts what Check saw.
type CheckReport struct {
	Objects  int `json:"objects"` // rows
	Blobs    int `json:"blobs"`
	Missing  int `json:"missing"` // rows without their blob, or with a damaged one
	Orphans  int `json:"orphans"` // blobs without a row
	Repaired int `json:"repaired"`
}

const (
	checkBatch   = 500
	defaultGrace = 24 * time.Hour
)

// walker is a blob store that can visit all blobs faster than page by page.
type walker interface {
	Walk(ctx context.Context, prefix string, f func(Info) error) error
}

// Check compares rows and blobs in both directions, in bounded memory. It asks
// for each object by its name; a listing that lags behind, as some stores' does,
// names candidates only, and each is looked at again before it counts.
func (v *Vault) Check(ctx context.Context, o CheckOptions) (CheckReport, error) {
	var rep CheckReport
	if o.Grace <= 0 {
		o.Grace = defaultGrace
	}
	if o.Found == nil {
		o.Found = func(Problem) {}
	}
	if o.Seen == nil {
		o.Seen = func() {}
	}
	if err := v.checkRows(ctx, o, &rep); err != nil {
		return rep, fmt.Errorf("check objects: %w", err)
	}
	for _, region := range v.Regions() {
		for _, c := range Classes {
			if err := v.checkBlobs(ctx, region, c, o, &rep); err != nil {
				return rep, fmt.Errorf("check blobs: %w", err)
			}
		}
	}
	return rep, nil
}

func (v *Vault) checkRows(ctx context.Context, opt CheckOptions, rep *CheckReport) error {
	after := ""
	for {
		page, err := v.index.LiveObjects(ctx, after, checkBatch)
		if err != nil {
			return err
		}
		for _, o := range page {
			after = o.ID
			rep.Objects++
			opt.Seen()
			kind, err := v.lookAt(ctx, o)
			if err != nil {
				return err
			}
			if kind == "" {
				continue
			}
			rep.Missing++
			opt.Found(Problem{Kind: kind, Region: o.Region, Key: o.Key, Object: o.ID, Session: o.Session, Class: o.Class})
		}
		if len(page) < checkBatch {
			return nil
		}
	}
}

// lookAt compares one row with its blob.
func (v *Vault) lookAt(ctx context.Context, o Object) (string, error) {
	blobs, err := v.blobsOf(o.Region)
	if err != nil {
		return "", err
	}
	i, err := blobs.Stat(ctx, o.Key)
	kind := ""
	switch {
	case errors.Is(err, ErrNotFound):
		kind = MissingBlob
	case err != nil:
		return "", err
	case i.Size != storedSize(o.Size):
		kind = WrongSize
	default:
		return "", nil
	}
	// It may have been erased since the row was read.
	again, err := v.index.GetObject(ctx, o.ID)
	if errors.Is(err, ErrNotFound) || err == nil && !again.DeletedAt.IsZero() {
		return "", nil
	}
	return kind, err
}

func (v *Vault) checkBlobs(ctx context.Context, region string, c Class, opt CheckOptions, rep *CheckReport) error {
	blobs := v.regions[region]
	prefix := string(c) + "/"
	visit := func(i Info) error {
		rep.Blobs++
		opt.Seen()
		return v.checkBlob(ctx, region, i, opt, rep)
	}
	if w, ok := as[walker](blobs); ok {
		return w.Walk(ctx, prefix, visit)
	}
	after := ""
	for {
		page, err := blobs.List(ctx, prefix, after, checkBatch)
		if err != nil {
			return err
		}
		for _, i := range page {
			after = i.Key
			if err := visit(i); err != nil {
				return err
			}
		}
		if len(page) < checkBatch {
			return nil
		}
	}
}

func (v *Vault) checkBlob(ctx context.Context, region string, i Info, opt CheckOptions, rep *CheckReport) error {
	if v.now().Sub(i.Modified) < opt.Grace {
		return nil
	}
	kind := ""
	row, err := v.index.GetObject(ctx, path.Base(i.Key))
	switch {
	case errors.Is(err, ErrNotFound):
		kind = OrphanBlob
	case err != nil:
		return err
	case row.Key != i.Key || row.Region != region:
		kind = OrphanBlob
	case !row.DeletedAt.IsZero():
		kind = LeftoverBlob
	default:
		return nil
	}
	blobs := v.regions[region]
	if _, err := blobs.Stat(ctx, i.Key); errors.Is(err, ErrNotFound) {
		return nil // the listing lags behind
	} else if err != nil {
		return err
	}
	p := Problem{Kind: kind, Region: region, Key: i.Key, Object: row.ID, Session: row.Session, Class: row.Class}
	// Bytes whose row was deleted are unwanted for certain. Those without a row
	// may be evidence that a restored database has forgotten: only on demand.
	if opt.Repair {
		if err := blobs.Delete(ctx, i.Key); err != nil {
			return err
		}
		p.Repaired = true
		rep.Repaired++
	}
	rep.Orphans++
	opt.Found(p)
	return nil
}
