package cluster

import (
	"context"
	"errors"
	"slices"
)

// Replace ends a machine in order, if it runs, and boots it with another command. When
// that does not serve, the machine is off, and has the new command.
func (c *Cluster) Replace(ctx context.Context, id string, command []string) error {
	if len(command) == 0 || command[0] == "" {
		return errors.New("no command to run")
	}
	m, err := c.find(id)
	if err != nil {
		return err
	}
	if err := c.stop(ctx, m); err != nil {
		return err
	}
	m.turn.Lock()
	m.command = slices.Clone(command)
	m.turn.Unlock()
	return c.boot(ctx, m)
}
