package entrypoint

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
)

// statusMain is --status as the command prints it.
func statusMain(inv Invocation) int {
	s, err := Look(context.Background(), inv.Config)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return ExitFailed
	}
	return 0
}
