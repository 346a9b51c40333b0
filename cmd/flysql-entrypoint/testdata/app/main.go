// The app of the benchmarks: it says when its first instruction ran, and how much
// memory its process had used until then, before an exec included.
package main

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	var now syscall.Timespec
	const monotonic = 1
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, monotonic, uintptr(unsafe.Pointer(&now)), 0)
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		panic(err)
	}
	fmt.Println(time.Duration(now.Nano()).Nanoseconds(), use.Maxrss)
}
