package private

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Listen opens an address for Serve, "127.0.0.1:0" say, by UDP and by TCP on the same
// port.
func Listen(address string) (net.PacketConn, net.Listener, error) {
	var errs []error
	for range 10 { // another program may have the port by UDP
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, nil, err
		}
		p, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return p, l, nil
		}
		errs = append(errs, err, l.Close())
	}
	return nil, nil, fmt.Errorf("listen for DNS: %w", errors.Join(errs...))
}

// Serve answers the machines of a region until ctx ends, and returns when all has ended.
// Both are closed then.
func (z *Zone) Serve(ctx context.Context, region string, p net.PacketConn, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _, _ = p.Close(), l.Close() })()
	var running sync.WaitGroup
	var errs [2]error
	running.Go(func() { errs[0] = z.packets(region, p); cancel() })
	running.Go(func() { errs[1] = z.connections(ctx, region, l); cancel() })
	running.Wait()
	_, _ = p.Close(), l.Close() // they are, or were before
	for i, err := range errs {
		if errors.Is(err, net.ErrClosed) {
			errs[i] = nil
		}
	}
	return errors.Join(errs[:]...)
}

func (z *Zone) packets(region string, p net.PacketConn) error {
	buf := make([]byte, 4096)
	for {
		n, from, err := p.ReadFrom(buf)
		if err != nil {
			return err
		}
		if out := z.response(buf[:n], region, maxUDP); out != nil {
			_, _ = p.WriteTo(out, from) // who has gone asks no more
		}
	}
}

// patience is how long a connection may be idle, and maxConnections how many there may be.
const (
	patience       = 10 * time.Second
	maxConnections = 64
)

func (z *Zone) connections(ctx context.Context, region string, l net.Listener) error {
	var running sync.WaitGroup
	defer running.Wait()
	room := make(chan struct{}, maxConnections)
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return c.Close()
		}
		running.Go(func() {
			defer func() { <-room }()
			defer c.Close()
			defer context.AfterFunc(ctx, func() { _ = c.Close() })()
			z.connection(region, c)
		})
	}
}

// connection answers one message after the other, each with its length before it.
func (z *Zone) connection(region string, c net.Conn) {
	var length [2]byte
	for {
		_ = c.SetDeadline(time.Now().Add(patience)) // one that is closed says so next
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		msg := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, msg); err != nil {
			return
		}
		out := z.response(msg, region, 0)
		if out == nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
			return
		}
	}
}

// Resolver is Go's, asking the server at an address.
func Resolver(server netip.AddrPort) *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.String())
		},
	}
}
