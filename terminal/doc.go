// Package terminal is how commands write for people: tables that fit the terminal, colors
// where they are seen, and what takes longer than a second.
//
// It escapes everything that it is given, so that text from outside can neither move the
// cursor nor change the direction of a line. It decides nothing about what is shown.
package terminal
