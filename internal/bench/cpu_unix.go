//go:build unix

package bench

import (
	"fmt"
	"syscall"
	"time"
)

// cpu is the time that all threads of this process have had of the cores. On
// a machine that others use, too, it says more than the time of a clock.
func cpu() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("reading the processor time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
