//go:build slim

package main

import "github.com/spf13/cobra"

// serverCommands: the slim build has none of the server's.
func (a *app) serverCommands() []*cobra.Command { return nil }
