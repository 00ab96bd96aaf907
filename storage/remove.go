package storage

import "context"

// Remove deletes one object before its time: a piece of an upload that was
// joined, or a photo that was not kept. What can not be deleted now is handed
// to the sweeper and returned as an error. Evidence is erased with Erase, which
// destroys its key.
func (v *Vault) Remove(ctx context.Context, o Object) error {
	if !o.DeletedAt.IsZero() {
		return nil
	}
	return v.remove(ctx, o)
}
