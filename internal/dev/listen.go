package dev

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// front is the one address of a session, on both of loopback's: browsers take
// *.localhost to either.
type front struct {
	port      int
	listeners []net.Listener
	server    *http.Server
	serving   sync.WaitGroup
}

// listen takes the port; 0 is any.
func listen(port int) (*front, error) {
	var err error
	for range 20 { // one that is free on one address may not be on the other
		var f *front
		if f, err = listenBoth(port); err == nil || port != 0 {
			return f, err
		}
	}
	return nil, err
}

func listenBoth(port int) (*front, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, taken(port, err)
	}
	f := &front{port: l.Addr().(*net.TCPAddr).Port, listeners: []net.Listener{l}}
	switch l, err = net.Listen("tcp", net.JoinHostPort("::1", strconv.Itoa(f.port))); {
	case err == nil:
		f.listeners = append(f.listeners, l)
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, errors.Join(taken(f.port, err), f.listeners[0].Close())
	}
	// Any other error is a machine without IPv6, where nobody asks for it.
	return f, nil
}

// taken says who has a port.
func taken(port int, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		who := ""
		if h := holders(port); len(h) > 0 {
			who = " by " + strings.Join(h, " and ")
		}
		return fmt.Errorf("port %d is taken%s: end that, or choose another with --port", port, who)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %d is for root alone: choose one above 1023 with --port", port)
	}
	return fmt.Errorf("listen on port %d: %w", port, err)
}

// serve begins to serve. It speaks what Fly's proxy does.
func (f *front) serve(h http.Handler) {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	f.server = &http.Server{
		Handler: h, Protocols: &p, ReadHeaderTimeout: time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // events tell
	}
	for _, l := range f.listeners {
		f.serving.Go(func() { _ = f.server.Serve(l) }) // it always returns an error: that it was closed
	}
}

func (f *front) close() error {
	var errs []error
	if f.server != nil {
		errs = append(errs, f.server.Close())
		f.serving.Wait()
		return errors.Join(errs...)
	}
	for _, l := range f.listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// url is where a region is asked.
func (f *front) url(region string) string {
	host := "localhost"
	if region != "" {
		host = region + ".localhost"
	}
	return fmt.Sprintf("http://%s:%d", host, f.port)
}
