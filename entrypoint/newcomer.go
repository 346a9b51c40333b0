package entrypoint

import (
	"fmt"
	"os"

	"github.com/flysql/flysql/flyconf"
)

// A node that is new has nothing, and LiteFS does not ask how much a candidate has
// before it makes it the primary. So who adds one (flysql regions add) has it start as
// no candidate, whatever the image's litefs.yml says, and lets that go when it has
// caught up: Config.NeverPrimary.

// neverPrimary is a litefs.yml by which a node does not become the primary.
func neverPrimary(file string, data []byte) ([]byte, error) {
	edited, err := flyconf.ParseLiteFSDocument(file, data)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"lease.candidate", "lease.promote"} {
		if err := edited.Set(key, false); err != nil {
			return nil, err
		}
	}
	return edited.Bytes(), nil
}

// checkNewcomer refuses what cannot be a newcomer.
func (n *node) checkNewcomer() error {
	if n.conf.Lease.Type == "static" {
		return refused("unset FLYSQL_LITEFS_CANDIDATE", "%s: with a static lease, lease.candidate says who is the primary: FLYSQL_LITEFS_CANDIDATE=off would leave none", n.file)
	}
	return nil
}

// configFile is what LiteFS reads its configuration from, and what it needs to have
// open for that: no copy of the configuration, which may hold tokens, is on a disk.
func (n *node) configFile(fd int) (path string, open []*os.File, err error) {
	if n.edited == nil {
		return n.file, nil, nil
	}
	f, err := memoryFile("litefs.yml")
	if err != nil {
		return "", nil, err
	}
	if _, err := f.Write(n.edited); err != nil {
		f.Close()
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), []*os.File{f}, nil
}
