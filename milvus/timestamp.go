package milvus

import "time"

// Timestamp is a hybrid TSO: Unix milliseconds (UTC) in the upper 46 bits, a logical counter in the lower 18.
// It orders by plain comparison. Zero means "none".
type Timestamp uint64

const logicalBits = 18

// NewTimestamp composes a TSO of Unix milliseconds and a logical counter below 2^18.
func NewTimestamp(unixMilli int64, logical uint32) Timestamp {
	return Timestamp(uint64(unixMilli)<<logicalBits | uint64(logical)&(1<<logicalBits-1))
}

// UnixMilli returns the physical part.
func (t Timestamp) UnixMilli() int64 { return int64(t >> logicalBits) }

// Logical returns the counter.
func (t Timestamp) Logical() uint32 { return uint32(t & (1<<logicalBits - 1)) }

// Time returns the physical part as a UTC time.
func (t Timestamp) Time() time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }
