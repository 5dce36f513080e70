package vortex

import (
	"strings"

	"github.com/snapexport/snapexport/fault"
)

// Split cuts a command line into words as a POSIX shell does: at blanks, but for those in quotes and after a backslash. Nothing
// is expanded. ErrUnsupported if a quote is open at the end or if there is no word.
func Split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	open, quote := false, rune(0) // within a word, within quotes
	runes := []rune(line)
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case r == '\\' && quote != '\'' && i+1 < len(runes) && (quote == 0 || strings.ContainsRune(`"\$`+"`", runes[i+1])):
			i++
			word.WriteRune(runes[i])
			open = true
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	if quote != 0 || len(words) == 0 || words[0] == "" {
		return nil, fault.Unsupported("split command", "%q is no command", line).WithHint("write a program and its arguments as for a shell, every quote closed")
	}
	return words, nil
}
