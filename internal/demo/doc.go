// Package demo tests what a user is shown first: `make demo`, the Spark example and the notebook run, and print what they
// should.
package demo
