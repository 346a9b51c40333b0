package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
)

// leaseKey is where LiteFS's nodes elect, as a machine's litefs.yml says.
func (c *Cluster) leaseKey() (string, error) {
	conf, err := c.litefsOf(c.machines[0])
	if err != nil {
		return "", err
	}
	if conf.Lease.Consul.Key == "" {
		return "", fmt.Errorf("%s: lease.consul.key is empty", c.opt.LiteFS)
	}
	return path.Join(strings.TrimPrefix(c.lease.prefix, "/"), conf.Lease.Consul.Key), nil
}

// Primary is the machine that holds the lease, or the one primary of a static lease while
// it runs; "" where none does, where that is not known, and without LiteFS.
func (c *Cluster) Primary() string {
	if m := c.primary(); m != nil {
		return m.ID
	}
	return ""
}

// primary is that machine, or nil.
func (c *Cluster) primary() *machine {
	switch {
	case c.static != nil && c.static.current() == edge.Started:
		return c.static
	case c.lease == nil || c.lease.key == "":
		return nil
	}
	value, held, err := c.lease.get(c.lease.key)
	if err != nil || !held {
		return nil
	}
	m, err := c.find(hostname(value))
	if err != nil {
		return nil // of another run, with other regions
	}
	return m
}

// hostname is of who holds the lease, by its value.
func hostname(value []byte) string {
	var holder struct {
		Hostname string `json:"hostname"`
	}
	_ = json.Unmarshal(value, &holder) // what is not LiteFS's names nobody
	return holder.Hostname
}

// remember writes down who is the primary, while somebody is: when it becomes that, and
// before it can end. Whoever was it last has all that was acknowledged, and must be the first
// of the next run: another one would take the lease with less.
func (c *Cluster) remember() error {
	m := c.primary()
	if m == nil || c.lease == nil {
		return nil
	}
	return write(filepath.Join(c.opt.Dir, "primary"), m.ID)
}

// first puts the last run's primary before the others, when nobody holds the lease any
// more.
func (c *Cluster) first(ctx context.Context) error {
	if c.static != nil {
		c.putFirst(c.static)
		return nil
	}
	var err error
	if c.lease.key, err = c.leaseKey(); err != nil {
		return err
	}
	if err := c.remember(); err != nil { // of a run that was killed
		return err
	}
	if c.lease.expire != nil { // of what holds it, nothing runs any more
		_, err = c.lease.expire(c.lease.key)
	} else {
		err = errors.Join(c.free(ctx, cmp.Or(c.litefs.Lease.Consul.TTL, 10*time.Second)), c.ours())
	}
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(c.opt.Dir, "primary"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	last, err := c.find(string(data))
	if err != nil {
		return fmt.Errorf("%w: it was the last primary here, and may have what no other machine has: run its region too, or remove %s to begin anew", err, c.opt.Dir)
	}
	c.putFirst(last)
	return nil
}

// putFirst has a machine booted before the others.
func (c *Cluster) putFirst(m *machine) {
	i := slices.Index(c.order, m)
	c.order = slices.Concat([]*machine{m}, c.order[:i], c.order[i+1:])
}

// write replaces a file.
func write(name, text string) error {
	old, err := os.ReadFile(name)
	if err == nil && string(old) == text {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it has another name by then
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// fixed finds the primary of a static lease, which litefs.yml names by lease.candidate.
func (c *Cluster) fixed() error {
	var all []string
	for _, m := range c.machines {
		conf, err := c.litefsOf(m)
		if err != nil {
			return err
		}
		if conf.Lease.Candidate {
			c.static, all = m, append(all, m.ID)
		}
	}
	switch len(all) {
	case 0:
		return fmt.Errorf("%s: lease.type is static, and lease.candidate is true for no machine: one must be the primary", c.opt.LiteFS)
	case 1:
		return nil
	}
	return fmt.Errorf("%s: lease.type is static, and lease.candidate is true for %s: have it true for one, or run one machine a region", c.opt.LiteFS, strings.Join(all, ", "))
}
