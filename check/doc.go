// Package check finds problems before anything is started: in the configuration and the
// template, in HAProxy's opinion of the result, in directories, ports and limits, in
// what is already running, and in ZooKeeper's and the directory's data.
//
// It owns the wording of a [Findings] list: severity, place, text and remedy, with
// lines of the template instead of the rendered file. It changes nothing that is
// running, and leaves no files behind.
package check
