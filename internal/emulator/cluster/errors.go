package cluster

import (
	"fmt"
	"strings"
)

// MachineError is why a machine did not come up.
type MachineError struct {
	ID  string
	Err error // with the checks that failed, and what was printed last
}

func (e *MachineError) Error() string { return fmt.Sprintf("machine %s: %v", e.ID, e.Err) }
func (e *MachineError) Unwrap() error { return e.Err }

// BootError says which machines did not come up at [Start], in the order of
// [Cluster.Machines]. The others serve.
type BootError struct{ Machines []*MachineError }

func (e *BootError) Error() string {
	var all []string
	for _, m := range e.Machines {
		all = append(all, m.Error())
	}
	return strings.Join(all, "\n")
}

func (e *BootError) Unwrap() []error {
	var all []error
	for _, m := range e.Machines {
		all = append(all, m)
	}
	return all
}
