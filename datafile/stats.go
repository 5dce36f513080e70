package datafile

// NotCounted is the value of a count that was not taken.
const NotCounted int64 = -1

// Stats is what a finished file holds. It survives JSON unchanged.
type Stats struct {
	Rows         int64        `json:"rows"`
	Bytes        int64        `json:"bytes"`         // of the whole file
	SplitOffsets []int64      `json:"split_offsets"` // where each row group begins
	Fields       []FieldStats `json:"fields"`        // of the leaves, in column order
}

// FieldStats is what a file holds of one leaf. Leaves below lists and maps have a size and nothing else.
type FieldStats struct {
	ID     int   `json:"id"`     // Iceberg field id
	Bytes  int64 `json:"bytes"`  // encoded and compressed, over all row groups
	Values int64 `json:"values"` // NULL and NaN included, or NotCounted
	Nulls  int64 `json:"nulls"`  // or NotCounted
	NaNs   int64 `json:"nans"`   // NotCounted but for floats

	// Lower and Upper bound the values that are neither NULL nor NaN, in Iceberg's single-value form; nil if there are none.
	// Strings are cut to 16 code points and binaries to 16 bytes, upper bounds then rounded up.
	Lower []byte `json:"lower"`
	Upper []byte `json:"upper"`
}
