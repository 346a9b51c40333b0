package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
	return conf.Lease.Consul.Key, nil
}

// primary is the machine that holds the lease, nil where none does.
func (c *Cluster) primary() *machine {
	value, held := c.lease.state.Get(c.lease.key)
	var holder struct {
		Hostname string `json:"hostname"`
	}
	if !held || json.Unmarshal(value, &holder) != nil {
		return nil
	}
	m, err := c.find(holder.Hostname)
	if err != nil {
		return nil // of another run, with other regions
	}
	return m
}

// remember writes down who is the primary, while somebody is. Whoever was it last has
// all that was acknowledged, and must be the first of the next run: another one would
// take the lease with less.
func (c *Cluster) remember() error {
	if c.lease == nil || c.lease.key == "" {
		return nil
	}
	m := c.primary()
	if m == nil {
		return nil
	}
	return write(filepath.Join(c.opt.Dir, "primary"), m.ID)
}

// first puts the last run's primary before the others, and ends its session: of what
// holds the lease, nothing runs any more.
func (c *Cluster) first() error {
	if c.lease == nil {
		return nil
	}
	var err error
	if c.lease.key, err = c.leaseKey(); err != nil {
		return err
	}
	if err := c.remember(); err != nil { // of a run that was killed
		return err
	}
	if _, err := c.lease.state.Expire(c.lease.key); err != nil {
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
	slices.SortStableFunc(c.order, func(a, b *machine) int {
		switch last {
		case a:
			return -1
		case b:
			return 1
		}
		return 0
	})
	return nil
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
