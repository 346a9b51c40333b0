package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/image"
	"github.com/flysql/flysql/e2e/network"
)

// machine is one of the cluster. It may be booted again and again on its volume.
type machine struct {
	cluster *cluster
	id      string // FLY_MACHINE_ID
	region  string
	place   network.Place
	volume  string // a file
	log     *machineLog

	mu      sync.Mutex
	booted  *image.Machine // nil while it is off
	serving state
}

// state is what Fly's proxy knows of a machine.
type state int

const (
	down    state = iota // off, or not told to serve any more
	booting              // it has not passed its checks yet
	up                   // it gets requests
)

func (m *machine) state() state {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.serving
}

func (m *machine) addr(port int) netip.AddrPort {
	return netip.AddrPortFrom(m.place.Addr, uint16(port))
}

// client asks the machine itself, past the proxy.
func (m *machine) client() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: m.cluster.net.DialContext, DisableKeepAlives: true}}
}

// boot starts an image on the machine's volume and waits until its checks pass.
func (m *machine) boot(ctx context.Context, img *image.Image) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("that took longer than %v", patience))
	defer cancel()
	env, err := m.env()
	if err != nil {
		return err
	}
	booted, err := img.Start(ctx, image.Boot{
		Env:     env,
		Volumes: map[string]string{m.cluster.app.VolumeAt(): m.volume},
		Network: m.place.Namespace,
		Hosts:   m.cluster.hosts(),
		Stdout:  m.log,
		Stderr:  m.log,
	})
	if err != nil {
		return fmt.Errorf("machine %s: %w", m.id, err)
	}
	m.set(booted, booting)
	app := guestbook.At("http://"+m.addr(m.cluster.app.HTTPService.InternalPort).String(), m.client())
	for _, check := range m.cluster.app.HTTPService.Checks {
		if err := app.Healthy(ctx, check.Path, booted.Done()); err != nil {
			return fmt.Errorf("machine %s: %w\n%s", m.id, err, m.log.tail())
		}
	}
	m.set(booted, up)
	return nil
}

func (m *machine) set(booted *image.Machine, s state) {
	m.mu.Lock()
	m.booted, m.serving = booted, s
	m.mu.Unlock()
	m.cluster.tell()
}

// off takes the machine from the proxy, and returns what is to be ended.
func (m *machine) off() *image.Machine {
	m.mu.Lock()
	m.serving = down
	booted := m.booted
	m.booted = nil
	m.mu.Unlock()
	if booted != nil {
		m.cluster.tell()
	}
	return booted
}

// stop ends the machine as Fly does at a deploy. The app must end with exit code 0.
func (m *machine) stop() error {
	booted := m.off()
	if booted == nil {
		return nil
	}
	app := m.cluster.app
	code, err := booted.Stop(app.Signal(), app.Grace())
	if err == nil && code != 0 {
		err = fmt.Errorf("it was stopped by %s and ended with exit code %d\n%s", unix.SignalName(app.Signal()), code, m.log.tail())
	}
	if err := errors.Join(err, booted.Close()); err != nil {
		return fmt.Errorf("machine %s: %w", m.id, err)
	}
	return nil
}

// kill ends all of the machine's processes at once, as when its host dies.
func (m *machine) kill() error {
	if booted := m.off(); booted != nil {
		return booted.Close()
	}
	return nil
}

// role is what the machine's LiteFS says it is.
func (m *machine) role(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var info struct {
		IsPrimary bool `json:"isPrimary"`
		Candidate bool `json:"candidate"`
	}
	body, err := m.get(ctx, "/info")
	if err == nil {
		err = errors.Join(json.NewDecoder(body).Decode(&info), body.Close())
	}
	switch {
	case err != nil:
		return "off"
	case info.IsPrimary:
		return "primary"
	case info.Candidate:
		return "replica, next in line"
	}
	return "replica"
}

// get asks the machine's LiteFS.
func (m *machine) get(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.addr(apiPort).String()+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := m.client().Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("GET %s of LiteFS on %s: %s", path, m.id, res.Status), res.Body.Close())
	}
	return res.Body, nil
}

// export writes the machine's own copy of a database to a file.
func (m *machine) export(ctx context.Context, database, file string) (err error) {
	body, err := m.get(ctx, "/export?name="+database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Close())
}
