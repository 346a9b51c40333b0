//go:build !linux

package network

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
)

// Network needs Linux.
type Network struct{}

// Place needs Linux.
type Place struct {
	Namespace *os.File
	Addr      netip.Addr
}

var errLinux = errors.New("make a network: it needs Linux")

// New needs Linux.
func New(int) (*Network, error) { return nil, errLinux }

// Place needs Linux.
func (*Network) Place(int) Place { return Place{} }

// Listen needs Linux.
func (*Network) Listen(uint16) (net.Listener, error) { return nil, errLinux }

// Addr needs Linux.
func (*Network) Addr() netip.Addr { return netip.Addr{} }

// DialContext needs Linux.
func (*Network) DialContext(context.Context, string, string) (net.Conn, error) { return nil, errLinux }

// Close needs Linux.
func (*Network) Close() error { return nil }
