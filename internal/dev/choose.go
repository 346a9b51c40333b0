package dev

import "github.com/flysql/flysql/internal/emulator/cluster"

// SetRegion says which region those are in who do not say: State.Region from now on.
func (s *Session) SetRegion(region string) error {
	return s.region("choose", region, func(c *cluster.Cluster) error {
		c.Edge.SetRegion(region)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.chosen = region
		return nil
	})
}
