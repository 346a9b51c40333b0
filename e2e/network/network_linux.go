package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flysql/flysql/e2e/poll"
)

// prefix is of the block that Fly's private networks are in.
var prefix = netip.MustParsePrefix("fdaa::/64")

// Network is a hub and the places of machines around it. Its methods may be
// called from several goroutines.
type Network struct {
	hub    *os.File
	addr   netip.Addr
	places []Place
}

// Place is where a machine is on the network.
type Place struct {
	Namespace *os.File // for image.Boot.Network
	Addr      netip.Addr
}

// New makes a network with places for so many machines.
func New(machines int) (_ *Network, err error) {
	n := &Network{addr: prefix.Addr().Next()}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make a network: %w", err), n.Close())
		}
	}()
	setup := []string{
		"link set lo up",
		"link add br0 type bridge",
		"link set br0 up",
		// Without nodad, an address cannot be used for a second or two.
		fmt.Sprintf("addr add %v/%d dev br0 nodad", n.addr, prefix.Bits()),
	}
	if n.hub, err = newNamespace(); err != nil {
		return nil, err
	}
	addr := n.addr
	var ends []*os.File
	for i := range machines {
		addr = addr.Next()
		ns, err := newNamespace()
		if err != nil {
			return nil, err
		}
		n.places = append(n.places, Place{ns, addr})
		ends = append(ends, ns)
		setup = append(setup,
			fmt.Sprintf("link add m%d type veth peer name eth0 netns /proc/self/fd/%d", i, 3+i),
			fmt.Sprintf("link set m%d master br0 up", i))
	}
	if err := ip(n.hub, ends, setup...); err != nil {
		return nil, err
	}
	for _, p := range n.places {
		err := ip(p.Namespace, nil, "link set lo up",
			fmt.Sprintf("addr add %v/%d dev eth0 nodad", p.Addr, prefix.Bits()), "link set eth0 up")
		if err != nil {
			return nil, err
		}
	}
	return n, n.settle()
}

// settle waits until every address can be used: the kernel holds them back until it
// has noticed that the links are up, which takes a second or so.
func (n *Network) settle() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	addrs := []netip.Addr{n.addr}
	for _, p := range n.places {
		addrs = append(addrs, p.Addr)
	}
	for _, addr := range addrs {
		err := poll.Until(ctx, addr.String()+" to answer", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 250*time.Millisecond)
			defer cancel()
			c, err := n.DialContext(ctx, "tcp", netip.AddrPortFrom(addr, 9).String())
			if err == nil {
				return c.Close()
			}
			if errors.Is(err, unix.ECONNREFUSED) { // nobody listens, and somebody said so
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Place is where the i-th machine is.
func (n *Network) Place(i int) Place { return n.places[i] }

// Listen listens on a port of the hub, which the machines reach at Addr.
func (n *Network) Listen(port uint16) (l net.Listener, err error) {
	err = in(n.hub, func() error {
		l, err = net.Listen("tcp6", netip.AddrPortFrom(n.addr, port).String())
		return err
	})
	return l, err
}

// Addr is the hub's address.
func (n *Network) Addr() netip.Addr { return n.addr }

// DialContext connects from the hub to a machine's address; it is for
// http.Transport. Names are not resolved.
func (n *Network) DialContext(ctx context.Context, network, address string) (c net.Conn, err error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, err // a lookup would go on in other threads, on the host's network
	}
	err = in(n.hub, func() error {
		c, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// Close gives the namespaces back. Those that a process is still in go with it.
func (n *Network) Close() error {
	var errs []error
	for _, p := range n.places {
		errs = append(errs, p.Namespace.Close())
	}
	if n.hub != nil {
		errs = append(errs, n.hub.Close())
	}
	return errors.Join(errs...)
}

// newNamespace makes an empty network.
func newNamespace() (ns *os.File, err error) {
	err = apart(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare the network (this needs root): %w", err)
		}
		ns, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	return ns, err
}

// in calls f on a thread that is in a network. What f opens stays there.
func in(ns *os.File, f func() error) error {
	return apart(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network: %w", err)
		}
		return f()
	})
}

// apart calls f, which may change the thread's network, and puts the thread back.
func apart(f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err = f()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		// A thread that stays locked ends with its goroutine, and is not used again.
		return errors.Join(err, fmt.Errorf("leave the network: %w", back), home.Close())
	}
	runtime.UnlockOSThread()
	return errors.Join(err, home.Close())
}

// ip runs commands of iproute2 in a network. It finds files as /proc/self/fd/3
// and on.
func ip(ns *os.File, files []*os.File, commands ...string) error {
	return in(ns, func() error {
		cmd := exec.Command("ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
		cmd.ExtraFiles = files
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("ip: %w: %s", err, strings.TrimSpace(string(out)))
		}
		return nil
	})
}
