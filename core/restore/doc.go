// Package restore makes a collection from a snapshot by copying files.
package restore
