package entrypoint

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/textproto"
)

// get is the most frequent question.
func get(ctx context.Context, addr, path string) (textproto.MIMEHeader, []byte, error) {
	return request{to: server{addr: addr}, path: path}.do(ctx)
}

// infoOf asks the LiteFS at addr what it is.
func infoOf(ctx context.Context, addr string) (nodeInfo, error) {
	head, body, err := get(ctx, addr, "/info")
	if err != nil {
		return nodeInfo{}, err
	}
	info := nodeInfo{id: head.Get("Litefs-Id")}
	if err := json.Unmarshal(body, &info); err != nil {
		return nodeInfo{}, fmt.Errorf("GET /info: %w", err)
	}
	return info, nil
}

// positionsOf asks the LiteFS at addr where its databases stand. One without a
// transaction is left out.
func positionsOf(ctx context.Context, addr string) (map[string]position, error) {
	found, err := databasesOf(ctx, addr)
	maps.DeleteFunc(found, func(_ string, at position) bool { return at.tx == 0 })
	return found, err
}

// databasesOf is positionsOf with those that have no transaction yet.
func databasesOf(ctx context.Context, addr string) (map[string]position, error) {
	_, body, err := get(ctx, addr, "/debug/vars")
	if err != nil {
		return nil, err
	}
	var vars struct {
		Store *struct {
			DBs map[string]struct{ TXID, Checksum string }
		}
	}
	if err := json.Unmarshal(body, &vars); err != nil {
		return nil, fmt.Errorf("GET /debug/vars: %w", err)
	}
	if vars.Store == nil {
		return nil, fmt.Errorf("GET /debug/vars: it says nothing of databases")
	}
	found := map[string]position{}
	for name, db := range vars.Store.DBs {
		at, err := parsePosition(db.TXID + "/" + db.Checksum)
		if err != nil {
			return nil, fmt.Errorf("GET /debug/vars: %w", err)
		}
		found[name] = at
	}
	return found, nil
}

// notAt says which database of want does not stand there, or "".
func notAt(got, want map[string]position) string {
	for _, name := range sortedKeys(want) {
		if got[name] != want[name] {
			return fmt.Sprintf("%s at %v, not %v", name, got[name], want[name])
		}
	}
	return ""
}

// notYetAt says which database of want has not come there, or "".
func notYetAt(got, want map[string]position) string {
	for _, name := range sortedKeys(want) {
		if got[name].tx < want[name].tx {
			return fmt.Sprintf("%s at %v, not yet %v", name, got[name], want[name])
		}
	}
	return ""
}
