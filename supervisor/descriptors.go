package supervisor

import (
	"fmt"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// closeDescriptorsOnExec keeps the descriptors that this process inherited, except
// stdin, stdout and stderr, from its children. Go opens its own with O_CLOEXEC.
func closeDescriptorsOnExec() error {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	// Before Linux 5.11.
	links, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("close inherited descriptors on exec: %w", err)
	}
	for _, link := range links {
		if fd, err := strconv.Atoi(link.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
