package cluster

// ExpireLease ends the session of who holds the lease, as if its TTL had passed.
func (c *Cluster) ExpireLease() error {
	_, err := c.lease.expire(c.lease.key)
	return err
}
