package objstore

import "github.com/snapexport/snapexport/fault"

// Means is how a local file is copied within one directory tree. Buckets copy within the server, whatever the means.
type Means string

// The means of copying.
const (
	// MeansAuto is a reflink where the file system has them, else a copy of the bytes.
	MeansAuto Means = "auto"
	// MeansCopy copies the bytes and compares what was written with what was read.
	MeansCopy Means = "copy"
	// MeansReflink shares the blocks until one of the two is written to; fault.ErrUnsupported where the file system can't.
	MeansReflink Means = "reflink"
	// MeansLink gives the same file a second name. Both names then have the same bytes for ever: only for files that nobody
	// writes in place. A file that has as many names as the file system allows is copied.
	MeansLink Means = "link"
)

// ParseMeans returns the means of that name.
func ParseMeans(name string) (Means, error) {
	switch m := Means(name); m {
	case MeansAuto, MeansCopy, MeansReflink, MeansLink:
		return m, nil
	}
	return "", fault.Unsupported("copy", "%q is no way to copy: there are auto, copy, reflink and link", name)
}

// copying says how one object is copied.
type copying struct {
	means Means
	later *settling // makes it durable; nil: it is at once
}

var plainCopy = copying{means: MeansCopy}
