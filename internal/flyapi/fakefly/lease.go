package fakefly

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

type lease struct {
	nonce   string
	owner   string
	expires time.Time
}

// HoldLease lets somebody else have a machine's lease, as fly deploy does, for a time of
// the fake's clock. It returns the nonce.
func (f *Fake) HoldLease(machineID, owner string, ttl time.Duration) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.mustMachine(machineID)
	m.lease = f.newLease(ttl)
	m.lease.owner = owner
	return m.lease.nonce
}

func (f *Fake) newLease(ttl time.Duration) *lease {
	return &lease{nonce: f.id("nonce"), owner: "flysql@tokens.fly.io", expires: f.now.Add(ttl)}
}

// leaseOf is a lease that has not ended.
func (f *Fake) leaseOf(m *machine) *lease {
	if m.lease == nil || !f.now.Before(m.lease.expires) {
		return nil
	}
	return m.lease
}

func (l *lease) refuse(m *machine) answer {
	return refuse(http.StatusConflict, "aborted: machine ID %s lease currently held by %s, expires at %s", m.ID, l.owner, l.expires.Format(time.RFC3339))
}

func (l *lease) show(m *machine) answer {
	return ok(map[string]any{"status": "success", "data": map[string]any{
		"nonce": l.nonce, "expires_at": l.expires.Unix(), "owner": l.owner, "description": "", "version": m.InstanceID}})
}

func (f *Fake) showLease(r *request) answer {
	_, m, no := f.machine(r)
	if m == nil {
		return no
	}
	l := f.leaseOf(m)
	if l == nil {
		return refuse(http.StatusNotFound, "lease not found")
	}
	return l.show(m)
}

// takeLease takes a lease, or with its nonce makes it last.
func (f *Fake) takeLease(r *request) answer {
	_, m, no := f.machine(r)
	if m == nil {
		return no
	}
	ttl := 13 * time.Second
	if s := r.URL.Query().Get("ttl"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return refuse(http.StatusBadRequest, "invalid ttl %q", s)
		}
		ttl = time.Duration(n) * time.Second
	}
	l := f.leaseOf(m)
	switch {
	case l == nil && r.nonce() != "":
		return refuse(http.StatusNotFound, "lease not found")
	case l == nil:
		m.lease = f.newLease(ttl)
		return m.lease.show(m)
	case l.nonce != r.nonce():
		return l.refuse(m)
	}
	l.expires = f.now.Add(ttl)
	return l.show(m)
}

func (f *Fake) releaseLease(r *request) answer {
	_, m, no := f.machine(r)
	if m == nil {
		return no
	}
	l := f.leaseOf(m)
	switch {
	case l == nil:
		return refuse(http.StatusNotFound, "lease not found")
	case l.nonce != r.nonce():
		return l.refuse(m)
	}
	m.lease = nil
	return answer{http.StatusOK, map[string]string{"status": "success", "message": fmt.Sprintf("lease of %s released", m.ID)}}
}
