// Command testrun runs `go test` with its arguments, and prints what a developer needs: first what this machine lacks, then
// the progress from time to time, the reason and the log of each failed test, and finally how long each stage took and how
// busy it kept the processors, the slowest tests, the failed ones, the skipped ones with their reasons, and the HAProxy
// versions that were not tested. Lines about packages are printed as by `go test`, whose exit code it returns.
//
// Packages that start ZooKeepers and HAProxys are tested one by one, after all others. The tests of supervisor, which take
// turns in a process, are divided among two. Packages come last among the arguments:
//
//	go run ./e2e/testrun -race ./...
package main
