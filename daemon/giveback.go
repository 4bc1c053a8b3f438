package daemon

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// giveBackMemory returns memory to the kernel that was only needed during the start:
// garbage, and pages of code, which the kernel reads from the file again when needed.
// Read-only data is kept: a dynamic linker may have written to it before.
func giveBackMemory() {
	debug.FreeOSMemory()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(maps)) {
		var from, to uintptr
		var access string
		// `from-to access offset device inode path` of proc_pid_maps(5).
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); n != 3 || access != "r-xp" || !strings.Contains(line, "/") {
			continue
		}
		// On failure the pages stay, which is harmless.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
	}
}
