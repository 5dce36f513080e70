package faultstore

import (
	"slices"
	"strings"
)

// Predicate chooses calls. A store asks its predicates one call at a time, also when it is used by several goroutines.
type Predicate func(Call) bool

// Always holds.
func Always(Call) bool { return true }

// On holds for calls of these kinds.
func On(ops ...Op) Predicate {
	return func(c Call) bool { return slices.Contains(ops, c.Op) }
}

// Key holds for one key.
func Key(key string) Predicate {
	return func(c Call) bool { return c.Key == key }
}

// Contains holds for keys that contain text.
func Contains(text string) Predicate {
	return func(c Call) bool { return strings.Contains(c.Key, text) }
}

// Suffix holds for keys that end in text.
func Suffix(text string) Predicate {
	return func(c Call) bool { return strings.HasSuffix(c.Key, text) }
}

// All holds where all hold. They are asked in order and only as far as needed: put counting predicates last.
func All(ps ...Predicate) Predicate {
	return func(c Call) bool {
		return !slices.ContainsFunc(ps, func(p Predicate) bool { return !p(c) })
	}
}

// Any holds where at least one holds.
func Any(ps ...Predicate) Predicate {
	return func(c Call) bool {
		return slices.ContainsFunc(ps, func(p Predicate) bool { return p(c) })
	}
}

// Not holds where p does not.
func Not(p Predicate) Predicate {
	return func(c Call) bool { return !p(c) }
}

// Nth holds the n-th time (from 1) that it is asked.
func Nth(n int) Predicate {
	return counting(func(asked int) bool { return asked == n })
}

// First holds the first n times that it is asked.
func First(n int) Predicate {
	return counting(func(asked int) bool { return asked <= n })
}

// Every holds each n-th time that it is asked.
func Every(n int) Predicate {
	return counting(func(asked int) bool { return asked%n == 0 })
}

func counting(hold func(asked int) bool) Predicate {
	asked := 0
	return func(Call) bool {
		asked++
		return hold(asked)
	}
}
