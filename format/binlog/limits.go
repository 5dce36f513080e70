package binlog

import "math"

// Bounds of what is believed. Files beyond them are refused with fault.ErrLimit.
const (
	// MaxFile bounds a file: lengths and positions in it are int32.
	MaxFile = math.MaxInt32
	// MaxExtras bounds the descriptor's JSON; genuine ones have tens of bytes, encrypted ones some hundred.
	MaxExtras = 1 << 20
	// MaxExtrasDepth bounds the nesting in the descriptor's JSON; genuine ones are flat.
	MaxExtrasDepth = 64
	// MaxEvents bounds the events of a file; genuine ones have one.
	MaxEvents = 4096
	// MaxStats bounds a statistics file.
	MaxStats = 256 << 20
	// MaxStatsEntries bounds the objects of a compound statistics file.
	MaxStatsEntries = 1 << 20
)
