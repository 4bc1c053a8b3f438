// Package ui is the page for people: it makes HTML of an [Overview], in English or
// Chinese, and says what has changed of it since, so that an open page follows.
//
// A page is made of sheets: a strip about each proxy, the groups with the instances of
// those that are unfolded, and the events. A sheet has rows, a row has cells; all of them
// are rendered here, by the same templates for the first answer and for each change, and
// escaped by html/template. The script only puts them in place.
//
// It is pure: it reads nothing, asks nobody, and the time is passed in. Room query serves
// it. Nothing on the page changes anything.
package ui
