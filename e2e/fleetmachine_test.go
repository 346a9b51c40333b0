package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/image"
	"github.com/flysql/flysql/e2e/network"
)

// fleetMachine is one of the fleet. It may be booted again and again on its volume.
type fleetMachine struct {
	fleet  *fleet
	id     string // FLY_MACHINE_ID
	region string
	place  network.Place
	volume string // a file
	log    *output

	mu     sync.Mutex
	booted *image.Machine // nil while it is off
	up     bool           // it has passed its checks, and gets requests
}

func (m *fleetMachine) serves() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.up
}

func (m *fleetMachine) addr(port int) netip.AddrPort {
	return netip.AddrPortFrom(m.place.Addr, uint16(port))
}

// client asks the machine itself, past the proxy.
func (m *fleetMachine) client() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: m.fleet.net.DialContext, DisableKeepAlives: true}}
}

// boot starts an image on the machine's volume and waits until its checks pass.
func (m *fleetMachine) boot(ctx context.Context, img *image.Image) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("that took longer than %v", patience))
	defer cancel()
	env, err := m.env()
	if err != nil {
		return err
	}
	booted, err := img.Start(ctx, image.Boot{
		Env:     env,
		Volumes: map[string]string{m.fleet.app.VolumeAt(): m.volume},
		Network: m.place.Namespace,
		Hosts:   m.fleet.hosts(),
		Stdout:  m.log,
		Stderr:  m.log,
	})
	if err != nil {
		return fmt.Errorf("machine %s: %w", m.id, err)
	}
	m.set(booted, false)
	app := guestbook.At("http://"+m.addr(m.fleet.app.HTTPService.InternalPort).String(), m.client())
	for _, check := range m.fleet.app.HTTPService.Checks {
		if err := app.Healthy(ctx, check.Path, booted.Done()); err != nil {
			return fmt.Errorf("machine %s: %w", m.id, err)
		}
	}
	m.set(booted, true)
	return nil
}

func (m *fleetMachine) set(booted *image.Machine, up bool) {
	m.mu.Lock()
	m.booted, m.up = booted, up
	m.mu.Unlock()
	m.fleet.tell()
}

// off takes the machine from the proxy, and returns what is to be ended.
func (m *fleetMachine) off() *image.Machine {
	m.mu.Lock()
	booted := m.booted
	m.booted, m.up = nil, false
	m.mu.Unlock()
	if booted != nil {
		m.fleet.tell()
	}
	return booted
}

// stop ends the machine as Fly does at a deploy. The app must end with exit code 0.
func (m *fleetMachine) stop() error {
	booted := m.off()
	if booted == nil {
		return nil
	}
	app := m.fleet.app
	code, err := booted.Stop(app.Signal(), app.Grace())
	if err == nil && code != 0 {
		err = fmt.Errorf("it was stopped by %s and ended with exit code %d", unix.SignalName(app.Signal()), code)
	}
	if err := errors.Join(err, booted.Close()); err != nil {
		return fmt.Errorf("machine %s: %w", m.id, err)
	}
	return nil
}

// kill ends all of the machine's processes at once, as when its host dies.
func (m *fleetMachine) kill() error {
	if booted := m.off(); booted != nil {
		return booted.Close()
	}
	return nil
}

// role is what the machine's LiteFS says it is.
func (m *fleetMachine) role(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var info struct {
		IsPrimary bool `json:"isPrimary"`
		Candidate bool `json:"candidate"`
	}
	body, err := guestbook.AskLiteFS(ctx, m.client(), "http://"+m.addr(apiPort).String()+"/info")
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

// export writes the machine's own copy of a database to a file.
func (m *fleetMachine) export(ctx context.Context, database, file string) error {
	return guestbook.Export(ctx, m.client(), "http://"+m.addr(apiPort).String(), database, file)
}
