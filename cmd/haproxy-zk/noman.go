//go:build !release

package main

import "github.com/spf13/cobra"

// manPages returns nothing: only packages need the command that makes manual pages.
func manPages() []*cobra.Command { return nil }
