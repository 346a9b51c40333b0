package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/flyconf"
)

func saying(head, body string) string { return "HTTP/1.0 200 OK\r\n" + head + "\r\n" + body }

// Positions are read from what LiteFS publishes; whatever else answers is an error.
func TestPositionsOf(t *testing.T) {
	const db = `{"store":{"isPrimary":true,"dbs":{"a.db":{"name":"a.db","txid":"000000000000000A","checksum":"8000000000000001"},"new.db":{"txid":"0000000000000000","checksum":"0000000000000000"}}},"memstats":{}}`
	for _, tt := range []struct{ name, answer, want string }{
		{"good", saying("", db), "map[a.db:000000000000000a/8000000000000001]"},
		{"no databases", saying("", `{"store":{"dbs":{}}}`), "map[]"},
		{"no store", saying("", `{"cmdline":[]}`), "it says nothing of databases"},
		{"a short position", saying("", `{"store":{"dbs":{"a":{"txid":"1","checksum":"2"}}}}`), "is not a position"},
		{"not JSON", saying("", "<html>"), "GET /debug/vars"},
		{"an error", "HTTP/1.1 404 Not Found\r\n\r\nnothing here\n", "GET /debug/vars: status 404: nothing here"},
		{"without an end", saying("", strings.Repeat(" ", maxAnswer+1)), "GET /debug/vars"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, err := positionsOf(t.Context(), answering(t, tt.answer))
			got := fmt.Sprint(at)
			if err != nil {
				got = err.Error()
			}
			if err == nil && got != tt.want || err != nil && !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// A lock that LiteFS grants says where the database stands; a refusal is told from an
// answer that was lost.
func TestHalt(t *testing.T) {
	addr := answering(t, saying("", `{"id":7,"pos":{"TXID":"0000000000000003","PostApplyChecksum":"8000000000000002"},"expires":"2026-01-01T00:00:00Z"}`))
	at, err := haltOne(t.Context(), addr, "a b.db", "7")
	if want := (position{3, 0x8000000000000002}); at != want || err != nil {
		t.Errorf("%v, %v; want %v", at, err, want)
	}
	var no *refusal
	if _, err := haltOne(t.Context(), answering(t, "HTTP/1.0 500 Internal Server Error\r\n\r\nacquire halt lock: context deadline exceeded"), "a.db", "7"); !errors.As(err, &no) {
		t.Errorf("%v is no refusal", err)
	}
	if _, err := haltOne(t.Context(), answering(t, ""), "a.db", "7"); err == nil || errors.As(err, &no) {
		t.Errorf("%v is a refusal", err)
	}
}

func TestNotAt(t *testing.T) {
	one, two := position{1, 1}, position{1, 2}
	for _, tt := range []struct {
		got, want map[string]position
		why       string
	}{
		{nil, nil, ""},
		{map[string]position{"a": one, "b": two}, map[string]position{"a": one}, ""},
		{map[string]position{"a": two}, map[string]position{"a": one}, "a at 0000000000000001/0000000000000002, not 0000000000000001/0000000000000001"},
		{nil, map[string]position{"b": one, "a": one}, "a at 0000000000000000/0000000000000000, not 0000000000000001/0000000000000001"},
	} {
		if why := notAt(tt.got, tt.want); why != tt.why {
			t.Errorf("%v for %v: %q, want %q", tt.got, tt.want, why, tt.why)
		}
	}
}

func anybody(nodeInfo) bool { return true }

// Peers are those of the same cluster that answer; one that is slow is told from none.
func TestPeers(t *testing.T) {
	node := func(id, cluster string) string {
		return answering(t, saying("Litefs-Id: "+id+"\r\n", `{"clusterID":"`+cluster+`","candidate":true}`))
	}
	slow, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	good := node("0B", "C")
	b := &boot{Config: Config{Peers: []string{node("0A", "C"), node("0C", "OTHER"), good, slow.Addr().String(), gone.Addr().String(), good}}}
	began := time.Now()
	found, silent, err := b.peers(t.Context(), nodeInfo{id: "0A", ClusterID: "C"}, anybody)
	if err != nil || len(found) != 1 || found[0].addr != good || len(silent) != 1 || silent[0] != slow.Addr().String() {
		t.Errorf("found %v, silent %v, %v", found, silent, err)
	}
	if took := time.Since(began); took >= patience {
		t.Errorf("one that is slow held the others up for %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if found, _, _ := b.peers(ctx, nodeInfo{}, anybody); len(found) > 0 {
		t.Errorf("found %v without asking", found)
	}
}

func TestPeerAddr(t *testing.T) {
	for in, want := range map[string]string{
		"a:1": "a:1", " http://b.internal:20202/ ": "b.internal:20202", "[fdaa::3]:20202": "[fdaa::3]:20202",
		"": "", "a": "", ":1": "", "a:": "", "https://a": "",
	} {
		got, err := peerAddr(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

// Without names, peers are the app's machines, at the port that this node advertises.
func TestPeerPort(t *testing.T) {
	conf := &flyconf.LiteFS{}
	n := &node{conf: conf, api: "127.0.0.1:20202"}
	if got := n.port(); got != "20202" {
		t.Error(got)
	}
	conf.Lease.AdvertiseURL = "http://m1.vm.app.internal:20303"
	if got := n.port(); got != "20303" {
		t.Error(got)
	}
	b := &boot{node: n, Config: Config{Env: []string{}}}
	if addrs, err := b.peerAddrs(t.Context()); len(addrs) > 0 || err != nil {
		t.Errorf("%v, %v: there is no app", addrs, err)
	}
}

func TestConfigOfClusters(t *testing.T) {
	err := Config{Command: []string{"x"}, DB: "/x.db", MigrateFrom: "replica", Peers: []string{"nowhere"}}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	contains(t, err.Error(), `migrate from "replica" is not known: use primary, candidate or any`, `"nowhere" is no address of a LiteFS node: write host:port`)
}
