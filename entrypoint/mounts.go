package entrypoint

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// mount is one line of /proc/self/mountinfo (man 5 proc).
type mount struct {
	id       string
	number   string // of the device, "254:0"
	point    string
	fsType   string
	device   string
	readOnly bool
	layer    bool // holds an image's writable layer, or is the same device as what does
}

// vanishing are file systems that live in memory, or are the image's own layers.
var vanishing = []string{
	"tmpfs", "ramfs", "overlay", "aufs", "devtmpfs", "devpts", "proc", "sysfs", "cgroup", "cgroup2", "squashfs", "iso9660", "rootfs",
}

// vanishes says why what is written here does not outlive the machine, or "".
// A Fly volume is a block device mounted somewhere below the root.
// https://fly.io/docs/volumes/overview/
func (m mount) vanishes() string {
	switch {
	case m.point == "":
		return "which is no mounted disk"
	case slices.Contains(vanishing, m.fsType):
		return "which is gone when the machine stops"
	case m.point == "/", m.layer:
		return "the machine's own disk, which every deploy replaces"
	}
	return ""
}

func readMounts(file string) ([]mount, error) {
	if file == "" {
		return nil, nil // not Linux: see mountsFile
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseMounts(data)
}

// parseMounts reads mountinfo: "36 35 98:0 /root /point opts [tags] - type dev sopts".
func parseMounts(data []byte) ([]mount, error) {
	var mounts []mount
	var layers []string // directories that overlays write to
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if lines.Text() == "" {
			continue
		}
		before, after, found := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !found || len(left) < 6 || len(right) < 2 {
			return nil, fmt.Errorf("mountinfo line %q is not understood", lines.Text())
		}
		m := mount{id: left[0], number: left[2], point: unescape(left[4]), fsType: right[0], device: unescape(right[1])}
		// Read-only is said of the mount, or of the file system under it.
		options := strings.Split(left[5], ",")
		if len(right) > 2 {
			options = append(options, strings.Split(right[2], ",")...)
		}
		for _, o := range options {
			if dir, found := strings.CutPrefix(o, "upperdir="); found && m.fsType == "overlay" {
				layers = append(layers, unescape(dir))
			}
		}
		m.readOnly = slices.Contains(options, "ro")
		mounts = append(mounts, m)
	}
	markLayers(mounts, layers)
	return mounts, lines.Err()
}

// markLayers finds the disks that go with the machine although they are mounted
// below the root. Fly's machines have an overlay for a root, whose upper layer is
// an ext4 at /.fly-upper-layer. A bind mount of such a disk, or of a root that is
// a disk, has its device's number.
func markLayers(mounts []mount, layers []string) {
	gone := map[string]bool{}
	for _, m := range mounts {
		if m.point == "/" || strings.HasPrefix(m.point, "/.fly") {
			gone[m.number] = true
		}
	}
	for _, dir := range layers {
		if m := mountOf(mounts, dir); m.point != "" {
			gone[m.number] = true
		}
	}
	for i := range mounts {
		mounts[i].layer = gone[mounts[i].number]
	}
}

// mountAt finds the mount that an existing directory is on. The kernel says which:
// by name alone, one mount can hide behind another.
func mountAt(mounts []mount, dir string) mount {
	if id := mountID(dir); id != "" {
		for _, m := range mounts {
			if m.id == id {
				return m
			}
		}
	}
	return mountOf(mounts, dir)
}

// mountOf finds the mount that dir is on by names: the longest mount point above
// it, and of several at one point the last, which covers the others.
func mountOf(mounts []mount, dir string) mount {
	var best mount
	for _, m := range mounts {
		if below(dir, m.point) && len(m.point) >= len(best.point) {
			best = m
		}
	}
	return best
}

func below(path, dir string) bool {
	return dir == "/" || path == dir || strings.HasPrefix(path, dir+"/")
}

// unescape undoes the \ooo of mountinfo (space, tab, newline, backslash).
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
