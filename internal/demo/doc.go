// Package demo tests what a user is shown first: `make demo`, the notebooks and the README run, and print what they
// should.
package demo
