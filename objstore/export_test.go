package objstore

import "context"

// SetCopyPart makes server-side copies of more than n bytes go by parts of n bytes.
func SetCopyPart(s Store, n int64) { bare(s).(*s3Store).copyPart = n }

// Pending returns how many uploads are open in a store.
func Pending(ctx context.Context, s Store) (int, error) { return bare(s).(pender).pending(ctx, "") }
