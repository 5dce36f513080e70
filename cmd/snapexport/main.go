// Command snapexport turns Milvus snapshots into tables that any lakehouse engine reads.
package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

func main() { os.Exit(newApp().run()) }

// run is main without os.Exit, so that deferred clean-up happens and tests can call it.
func (a *app) run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// a second interrupt ends the program at once
	context.AfterFunc(ctx, stop)
	// a mistake in a flag before --json is shown as JSON too
	a.json = slices.Contains(os.Args[1:], "--json")
	return a.report(a.root().ExecuteContextC(ctx))
}
