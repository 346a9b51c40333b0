package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/flysql/flysql/internal/inspect"
	"github.com/flysql/flysql/internal/move/handover"
	"github.com/flysql/flysql/litefs"
)

// litefsHereWord is what --litefs is without a value.
const litefsHereWord = "here"

// litefsNode connects to the node that the file is to go to, before anything is made, and
// refuses what Give would refuse. It is nil without --litefs.
func (c *cli) litefsNode(ctx context.Context, f *importFlags, target string) (*handover.Node, error) {
	if f.litefs == "" {
		return nil, nil
	}
	config := litefs.Config{Addr: f.litefs, Remote: true}
	if f.litefs == litefsHereWord {
		var err error
		if config, err = inspect.LiteFSHere(c.env); err != nil {
			return nil, err
		}
	}
	if err := config.Validate(); err != nil {
		return nil, usagef("--litefs: %w", err)
	}
	node, err := handover.Open(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("--litefs: %w", err)
	}
	err = node.Check(ctx, filepath.Base(target), f.replace)
	if errors.Is(err, handover.ErrHasDatabase) {
		err = fmt.Errorf("%w: stop the app and give --replace, which keeps what is there in a file", err)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--litefs: %w", err), node.Close())
	}
	return node, nil
}

// giveToLiteFS hands the file over. It is whole and proven by then, and stays.
func (c *cli) giveToLiteFS(ctx context.Context, node *handover.Node, target string) (*handover.Given, error) {
	name := filepath.Base(target)
	given, err := node.Give(ctx, name, target)
	if err == nil {
		return given, nil
	}
	kept := ""
	if given.Kept != "" {
		kept = "; what LiteFS had is in " + given.Kept
	}
	return given, fmt.Errorf("%s is whole and proven, and handing it to LiteFS failed: %w%s; litefs import -name %s %s does it by hand", target, caused(ctx, err), kept, name, target)
}
