package cluster

// ExpireLease ends the session of who holds the lease, as if its TTL had passed.
func (c *Cluster) ExpireLease() error {
	_, err := c.lease.state.Expire(c.lease.key)
	return err
}

// Primary is who holds it, "" for nobody.
func (c *Cluster) Primary() string {
	if m := c.primary(); m != nil {
		return m.ID
	}
	return ""
}
