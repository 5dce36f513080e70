package filter

import (
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/fault"
)

const opParse = "parse filter"

// source is the expression that errors point into.
type source struct{ text string }

// excerptBytes is how much of an expression an error repeats.
const excerptBytes = 60

// fail returns an error of the class at a byte offset of the expression.
func (s source) fail(class error, offset int, format string, args ...any) *fault.Error {
	from := max(0, min(offset-excerptBytes/2, len(s.text)-excerptBytes))
	shown := s.text[from:min(len(s.text), from+excerptBytes)]
	return fault.New(class, opParse, format, args...).On(strconv.Quote(strings.ToValidUTF8(shown, "?"))).At(int64(offset))
}

func (s source) invalid(offset int, format string, args ...any) *fault.Error {
	return s.fail(ErrInvalid, offset, format, args...)
}

// nearest returns the candidate most like name, "" if none is near.
func nearest(name string, candidates []string) string {
	best, bestDistance := "", 1+min(2, len(name)/3+1)
	lower := strings.ToLower(name)
	for _, c := range candidates {
		if d := editDistance(lower, strings.ToLower(c), bestDistance); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's, or limit if it is not below that.
func editDistance(a, b string, limit int) int {
	if abs(len(a)-len(b)) >= limit || len(a) > 255 || len(b) > 255 {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
