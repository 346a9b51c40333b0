package replay

import "syscall"

// fuseMagic is the file system type of FUSE: FUSE_SUPER_MAGIC of linux/magic.h.
const fuseMagic = 0x65735546

// mountedByFUSE tells whether a directory is in a FUSE file system.
func mountedByFUSE(dir string) bool {
	var st syscall.Statfs_t
	return syscall.Statfs(dir, &st) == nil && uint32(st.Type) == fuseMagic
}
