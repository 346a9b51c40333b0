package dev_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/flysql/flysql/internal/dev"
)

// The example app, on one machine with a volume, as its fly.toml has it.
func ExampleStart() {
	err := func() (err error) {
		dir, err := os.MkdirTemp("", "flysql-dev")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		ctx := context.Background()
		s, err := dev.Start(ctx, dev.Options{Dir: "../..", StateDir: dir, Latency: "none"})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close(ctx)) }()
		res, err := http.Get(s.URL("") + "/healthz")
		if err != nil {
			return err
		}
		st := s.State()
		fmt.Println(st.App, st.Engine, st.Machines[0].ID, st.Machines[0].State, res.Status)
		return res.Body.Close()
	}()
	if err != nil {
		fmt.Println(err)
	}
	// Output: flysql-guestbook volume ord1 started 200 OK
}
