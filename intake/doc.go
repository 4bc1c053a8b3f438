// Package intake turns the children of a group, whatever source lists them, into the
// instances that are used and findings about the rest. It holds, and logs once, what was
// found for each group.
//
// It reads no source and decodes nothing by itself: package decode does.
package intake
