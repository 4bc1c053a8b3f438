package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// mainVariable makes the test binary the program itself, or what crashes as one.
const mainVariable = "RUN_MAIN"

func TestMain(m *testing.M) {
	switch act := os.Getenv(mainVariable); act {
	case "":
		goleak.VerifyTestMain(m)
	case "main":
		main()
	default:
		crash(act)
	}
}
