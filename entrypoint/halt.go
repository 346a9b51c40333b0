package entrypoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"time"
)

// LiteFS's HALT lock holds up who writes to a database: it is had only between two
// transactions, and until it is given up there is no other. It is asked for over
// HTTP, as LiteFS's nodes do among themselves, and held by nothing that a fork or a
// close gives up.

const (
	// haltPatience is above the ten seconds for which LiteFS tries to get its lock.
	haltPatience = 11 * time.Second
	// askLimit is how long after the first lock the lease may be asked for: LiteFS
	// may take handoffPatience to hand it over, and gives the lock up after 30 seconds.
	askLimit = 15 * time.Second
	// haltRounds is how often there may be a database that was not there before.
	haltRounds = 4
)

// halted are the databases of a node whose writers are held up.
type halted struct {
	addr, id string
	began    time.Time // before the first lock
	at       map[string]position
	keep     bool // the locks are left to LiteFS, which gives them up itself
}

// halt holds up the writers of all databases of the node at addr, those that are
// made meanwhile too. letGo must follow, also after an error.
func halt(ctx context.Context, addr string) (*halted, error) {
	h := &halted{addr: addr, id: strconv.FormatInt(1+rand.Int64N(1<<62), 10), began: time.Now(), at: map[string]position{}}
	for range haltRounds {
		dbs, err := databasesOf(ctx, addr)
		if err != nil {
			return h, err
		}
		found := false
		for _, name := range sortedKeys(dbs) {
			if _, have := h.at[name]; have {
				continue
			}
			found = true
			h.at[name] = position{} // also where the answer is lost
			if h.at[name], err = haltOne(ctx, addr, name, h.id); err != nil {
				return h, err
			}
		}
		if !found {
			return h, nil
		}
	}
	return h, errors.New("new databases are being made there all the time")
}

// expired tells whether LiteFS may have given the locks up by the time that the
// lease has moved: this process may have stood still.
func (h *halted) expired() error {
	if age := since(h.began); age > askLimit {
		return fmt.Errorf("its writers have been held up for %v already", age.Round(time.Second))
	}
	return nil
}

// letGo lets the writers go on.
func (h *halted) letGo(ctx context.Context) (err error) {
	if h.keep {
		return nil
	}
	for _, name := range sortedKeys(h.at) {
		_, _, derr := request{method: "DELETE", to: server{addr: h.addr}, path: haltPath(name, h.id)}.do(context.WithoutCancel(ctx))
		if derr != nil {
			err = errors.Join(err, fmt.Errorf("writers of %s at %s wait for up to 30s: %w", name, h.addr, derr))
		}
	}
	return err
}

// haltOne holds up the writers of one database, and says where it stands.
func haltOne(ctx context.Context, addr, db, id string) (position, error) {
	_, body, err := request{method: "POST", to: server{addr: addr}, path: haltPath(db, id), patience: haltPatience}.do(ctx)
	if err != nil {
		return position{}, err
	}
	var lock struct {
		Pos struct {
			TXID, PostApplyChecksum string
		}
	}
	if err := json.Unmarshal(body, &lock); err != nil {
		return position{}, fmt.Errorf("POST /halt: %w", err)
	}
	return parsePosition(lock.Pos.TXID + "/" + lock.Pos.PostApplyChecksum)
}

func haltPath(db, id string) string {
	return "/halt?" + url.Values{"name": {db}, "id": {id}}.Encode()
}
