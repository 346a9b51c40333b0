package cluster

import (
	"context"
	"errors"
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
	return c.renew(ctx, m, command)
}
