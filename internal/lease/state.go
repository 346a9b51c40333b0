package lease

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// state is what is kept on disk. It is changed in a copy; see Server.keep.
type state struct {
	Index     uint64             `json:"index"`      // of the last change
	KeysIndex uint64             `json:"keys_index"` // of the last change of a key
	Keys      map[string]entry   `json:"keys"`
	Sessions  map[string]session `json:"sessions"`
	Nodes     map[string]string  `json:"nodes"` // addresses of what was registered, by name
}

type entry struct {
	Value       []byte `json:"value,omitempty"`
	Flags       uint64 `json:"flags,omitempty"`
	Session     string `json:"session,omitempty"`
	LockIndex   uint64 `json:"lock_index,omitempty"`
	CreateIndex uint64 `json:"create_index"`
	ModifyIndex uint64 `json:"modify_index"`
}

// same tells whether two entries differ in nothing that a client has written.
func (e entry) same(o entry) bool {
	return e.LockIndex == o.LockIndex && e.Flags == o.Flags && e.Session == o.Session && bytes.Equal(e.Value, o.Value)
}

type session struct {
	Name        string        `json:"name,omitempty"`
	Node        string        `json:"node"`
	NodeChecks  []string      `json:"node_checks,omitempty"` // shown, and without effect
	Delete      bool          `json:"delete,omitempty"`      // the keys it holds go with it; otherwise they stay, unheld
	TTL         string        `json:"ttl,omitempty"`         // as asked for; "" and 0 never end
	LockDelay   time.Duration `json:"lock_delay,omitempty"`
	CreateIndex uint64        `json:"create_index"`
}

func (ses session) ttl() time.Duration {
	ttl, _ := time.ParseDuration(ses.TTL) // checked when it came in
	return ttl
}

// newState begins where Consul does, which shows 1 for a store without keys.
func newState() state {
	return state{Index: 1, KeysIndex: 1, Keys: map[string]entry{}, Sessions: map[string]session{}, Nodes: map[string]string{}}
}

func (st state) clone() state {
	st.Keys, st.Sessions, st.Nodes = maps.Clone(st.Keys), maps.Clone(st.Sessions), maps.Clone(st.Nodes)
	return st
}

// set writes a key.
func (st *state) set(key string, e entry) {
	was, exists := st.Keys[key]
	if exists && was.same(e) {
		return // as in Consul, which changes no index either
	}
	st.Index++
	st.KeysIndex = st.Index
	if e.ModifyIndex = st.Index; !exists {
		e.CreateIndex = st.Index
	}
	st.Keys[key] = e
}

// end takes a session away, and lets go of what it holds. The lock-delay of its keys
// is put into delays.
func (st *state) end(id string, delays map[string]time.Duration) {
	ses, ok := st.Sessions[id]
	if !ok {
		return
	}
	delete(st.Sessions, id)
	st.Index++
	for key, e := range st.Keys {
		if e.Session != id {
			continue
		}
		delays[key] = ses.LockDelay
		st.KeysIndex = st.Index
		if ses.Delete {
			delete(st.Keys, key)
			continue
		}
		e.Session, e.ModifyIndex = "", st.Index
		st.Keys[key] = e
	}
}

// check refuses what write cannot have written.
func (st *state) check() error {
	if st.Keys == nil || st.Sessions == nil || st.Nodes == nil {
		return errors.New("keys, sessions or nodes are missing")
	}
	for _, key := range slices.Sorted(maps.Keys(st.Keys)) {
		e := st.Keys[key]
		if _, ok := st.Sessions[e.Session]; e.Session != "" && !ok {
			return fmt.Errorf("key %q is held by a session that is missing: nobody could ever have it", key)
		}
		if e.ModifyIndex > st.Index || e.CreateIndex > e.ModifyIndex {
			return fmt.Errorf("key %q has an index of the future", key)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(st.Sessions)) {
		if err := checkTTL(st.Sessions[id].TTL); err != nil {
			return fmt.Errorf("session %q: %w", id, err)
		}
	}
	if st.KeysIndex > st.Index {
		return errors.New("keys_index is of the future")
	}
	return nil
}

// maxState is far more than a state with some keys in it.
const maxState = 64 << 20

func stateFile(dir string) string { return filepath.Join(dir, "lease.json") }

// read returns the state of dir; an error that is os.ErrNotExist where there is none.
func read(dir string) (state, error) {
	var st state
	path := stateFile(dir)
	info, err := os.Lstat(path)
	if err != nil {
		return st, err
	}
	corrupt := func(err error) (state, error) {
		return st, fmt.Errorf("read the lease server's state %s: %w; put back a copy of it, or remove it to begin without keys and sessions", path, err)
	}
	if !info.Mode().IsRegular() {
		return corrupt(errors.New("it is not a file"))
	}
	if info.Size() > maxState {
		return corrupt(fmt.Errorf("it is larger than %d bytes", maxState))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return st, err
	}
	if st, err = decode(data); err != nil {
		return corrupt(err)
	}
	return st, nil
}

func decode(data []byte) (st state, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&st); err != nil {
		return st, err
	}
	if _, err := d.Token(); err != io.EOF {
		return st, errors.New("there is more after its end")
	}
	return st, st.check()
}

// write puts the state into dir, whole or not at all.
func (st state) write(dir string) error {
	data, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	tmp := stateFile(dir) + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) { // a kill left it
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, stateFile(dir)); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
