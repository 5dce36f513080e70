// Package page writes a describe report as one HTML page that needs nothing else: no script, no font, no picture from
// elsewhere. Charts are inline SVG.
//
// Names in a snapshot are whatever someone put into a bucket; html/template escapes all of them.
package page
