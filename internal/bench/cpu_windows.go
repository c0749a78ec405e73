//go:build windows

package bench

import (
	"fmt"
	"time"

	"golang.org/x/sys/windows"
)

// cpu is the time that all threads of this process have had of the cores. On
// a machine that others use, too, it says more than the time of a clock.
func cpu() (time.Duration, error) {
	var created, ended, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(windows.CurrentProcess(), &created, &ended, &kernel, &user); err != nil {
		return 0, fmt.Errorf("reading the processor time: %w", err)
	}
	ticks := int64(kernel.HighDateTime)<<32 | int64(kernel.LowDateTime)
	ticks += int64(user.HighDateTime)<<32 | int64(user.LowDateTime)
	return time.Duration(ticks * 100), nil // ticks are of 100 ns
}
