//go:build !linux

package cluster

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"syscall"
)

var errNotHere = errors.New("machines are run on Linux only")

func attributes() *syscall.SysProcAttr { return nil }

func lockDir(string) (*os.File, error) { return nil, errNotHere }

func unlock(f *os.File) error { return f.Close() }

// CleanUp has nothing to do: nothing is run here.
func CleanUp(string) error { return nil }

func kill(string, string) error { return errNotHere }

func moveLease(context.Context, string, string) error { return errNotHere }

func listensOn(string, string) []netip.AddrPort { return nil }
