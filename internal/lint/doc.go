// Package lint states the project's own rules as Go tests: which package may import which (one table, layers.go), no package
// with a name that says nothing, no library that prints, exits, reads the environment or the clock, no file that is too long,
// no page, link or chapter in a comment or in the docs that is not there.
package lint
