package filter

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// matcher is a compiled pattern of like: pieces between the % signs, the first anchored at the start and the last at the end.
type matcher struct {
	pieces []piece
}

// piece is literal text in which every _ stands for one character.
type piece struct {
	parts []string // what lies between the _ signs; one part if there are none
	chars int      // characters, _ signs included
}

// compilePattern reads a pattern: % is any text, _ any one character, and a backslash takes the meaning off the character after
// it.
func compilePattern(pattern string) (matcher, error) {
	var m matcher
	current, part := piece{}, []byte{}
	flush := func() {
		current.chars += utf8.RuneCount(part)
		current.parts = append(current.parts, string(part))
		part = part[:0]
	}
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '%':
			flush()
			m.pieces = append(m.pieces, current)
			current = piece{}
		case '_':
			flush()
			current.chars++
		case '\\':
			if i++; i == len(pattern) {
				return matcher{}, errors.New("the pattern ends in a backslash")
			}
			part = append(part, pattern[i])
		default:
			part = append(part, c)
		}
	}
	flush()
	m.pieces = append(m.pieces, current)
	return m, nil
}

// prefix returns what every text that matches begins with.
func (m matcher) prefix() string { return m.pieces[0].parts[0] }

func (m matcher) matches(s string) bool {
	first, last := &m.pieces[0], &m.pieces[len(m.pieces)-1]
	n := first.matchAt(s)
	if n < 0 || len(m.pieces) == 1 {
		return n == len(s)
	}
	rest := s[n:]
	tail := last.start(rest)
	if tail < 0 || last.matchAt(rest[tail:]) != len(rest)-tail {
		return false
	}
	rest = rest[:tail]
	for i := 1; i < len(m.pieces)-1; i++ {
		end := m.pieces[i].find(rest)
		if end < 0 {
			return false
		}
		rest = rest[end:]
	}
	return true
}

// matchAt returns how many bytes at the start of s the piece matches, or -1.
func (p *piece) matchAt(s string) int {
	at := 0
	for i, part := range p.parts {
		if i > 0 {
			if at == len(s) {
				return -1
			}
			_, n := utf8.DecodeRuneInString(s[at:])
			at += n
		}
		if !strings.HasPrefix(s[at:], part) {
			return -1
		}
		at += len(part)
	}
	return at
}

// start returns where the piece begins if it ends s, or -1 if s is too short.
func (p *piece) start(s string) int {
	if len(p.parts) == 1 {
		return len(s) - len(p.parts[0])
	}
	at := len(s)
	for range p.chars {
		if at == 0 {
			return -1
		}
		_, n := utf8.DecodeLastRuneInString(s[:at])
		at -= n
	}
	return at
}

// find returns the end of the piece's first occurrence in s, or -1.
func (p *piece) find(s string) int {
	if len(p.parts) == 1 {
		if at := strings.Index(s, p.parts[0]); at >= 0 {
			return at + len(p.parts[0])
		}
		return -1
	}
	for at := 0; at <= len(s); {
		if n := p.matchAt(s[at:]); n >= 0 {
			return at + n
		}
		_, n := utf8.DecodeRuneInString(s[at:])
		at += max(n, 1)
	}
	return -1
}

// test returns the cheapest function that does what matches does.
func (m matcher) test() func(string) bool {
	first, last := m.pieces[0].parts[0], m.pieces[len(m.pieces)-1].parts[0]
	for _, p := range m.pieces {
		if len(p.parts) > 1 {
			return m.matches
		}
	}
	switch {
	case len(m.pieces) == 1:
		return func(s string) bool { return s == first }
	case len(m.pieces) == 2 && last == "":
		return func(s string) bool { return strings.HasPrefix(s, first) }
	case len(m.pieces) == 2 && first == "":
		return func(s string) bool { return strings.HasSuffix(s, last) }
	case len(m.pieces) == 3 && first == "" && last == "":
		middle := m.pieces[1].parts[0]
		return func(s string) bool { return strings.Contains(s, middle) }
	}
	return m.matches
}
