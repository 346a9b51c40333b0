package engine_test

import (
	"context"
	"fmt"
	"time"

	"github.com/flysql/flysql/engine"
)

// alone is an engine for a machine that has no other beside it: a laptop.
type alone struct{}

func (a alone) State() engine.State {
	return engine.State{Role: engine.RolePrimary, Primary: "laptop", Ready: true, Changed: make(chan struct{})}
}

func (a alone) WaitPosition(context.Context, string, engine.Pos) error { return nil }

func ExampleWait() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	st, err := engine.Wait(ctx, alone{}, func(st engine.State) bool { return st.Role == engine.RolePrimary })
	fmt.Println(st.Role, st.Primary, err)
	// Output: primary laptop <nil>
}

func ExampleParsePos() {
	pos, err := engine.ParsePos("0000000000000003/8f1c2d3e4f506172")
	fmt.Println(pos.TXID, err)
	_, err = engine.ParsePos("3")
	fmt.Println(err)
	// Output:
	// 3 <nil>
	// parse position "3": it must be 16 hexadecimal digits, a slash and 16 more
}
