// Package export turns a scan into a table: plan, work, commit.
//
// Contract:
//   - [NewPlan] decides everything from metadata and writes nothing. The plan is JSON; its id is a fingerprint of the source
//     and of every option that changes the rows or columns, so that the same export is recognised when it is run again.
//   - Work writes data files under names that the plan gives, several tasks at once. Nothing that readers of the table look
//     at changes.
//   - Commit makes all of it visible at once. A run that fails or is interrupted before removes the files that it wrote.
//
// Glossary:
//
//	task         whole segments of one partition, written by one worker into files of its own
//	export id    the fingerprint
//	run id       tells the files of two runs of the same export apart
package export
