package fakefly

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"

	fly "github.com/superfly/fly-go"
)

// LiteFSPort is where LiteFS's API listens on a machine.
const LiteFSPort = 20202

// ServeNode lets a handler answer for LiteFS on a machine: it listens at the machine's
// private address, which becomes one of this machine's own (127.x.y.z), on LiteFS's port.
// Only Linux has all of these addresses without setting them up.
func (f *Fake) ServeNode(machineID string, h http.Handler) error {
	listener, address, err := f.listenNode()
	if err != nil {
		return fmt.Errorf("serve node %s: %w", machineID, err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: h}}
	server.Start()
	f.SetMachine(machineID, func(m *fly.Machine) { m.PrivateIP = address })
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners = append(f.listeners, closer(func() error {
		server.CloseClientConnections()
		server.Close()
		return nil
	}))
	return nil
}

// listenNode finds an address whose port nobody has: tests run side by side.
func (f *Fake) listenNode() (net.Listener, string, error) {
	for n := range 1 << 16 {
		address := fmt.Sprintf("127.77.%d.%d", n>>8, n&0xff)
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", address, LiteFSPort))
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			return l, address, err
		}
	}
	return nil, "", errors.New("no address is free")
}

type closer func() error

func (c closer) Close() error { return c() }
