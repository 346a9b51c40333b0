package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/nodestatus"
)

// execs answers commands in machines by their ids, and counts them.
type execs struct {
	answers map[string]fly.MachineExecResponse
	calls   int
}

func (e *execs) Exec(_ context.Context, id, command string, _ time.Duration) (*fly.MachineExecResponse, error) {
	e.calls++
	answer, ok := e.answers[id]
	if !ok || command != statusCommand {
		return nil, errors.New("not allowed")
	}
	return &answer, nil
}

// liteFSAt serves what a LiteFS says, and returns a machine and the port.
func liteFSAt(t *testing.T, info, vars string) (*fly.Machine, int) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/info", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, info) })
	mux.HandleFunc("/debug/vars", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, vars) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	return &fly.Machine{ID: "m1", State: "started", PrivateIP: at.Addr().String()}, int(at.Port())
}

func TestNodeOverAddress(t *testing.T) {
	const dbs = `{"store":{"dbs":{"b.db":{"TXID":"0000000000000002","Checksum":"8000000000000001"},"a.db":{"TXID":"000000000000000a","Checksum":"8000000000000001"},"new.db":{"TXID":"0000000000000000","Checksum":"0000000000000000"}}}}`
	for _, tt := range []struct {
		name, info, vars string
		want             string // role primary candidate ready, databases; or why it is not known
	}{
		{"primary", `{"clusterID":"C1","isPrimary":true,"candidate":true,"primary":{"hostname":"m1"}}`, dbs, "primary m1 true true a.db 10 b.db 2"},
		{"replica", `{"clusterID":"C1","candidate":false,"primary":{"hostname":"m2"}}`, dbs, "replica m2 false true a.db 10 b.db 2"},
		{"no primary", `{"clusterID":"C1","candidate":true}`, `{}`, "replica  true false"},
		{"no positions", `{"isPrimary":true,"primary":{"hostname":"m1"}}`, `<html>`, "primary m1 false true"},
		{"control characters", `{"primary":{"hostname":"a\u001b[2Jb"}}`, `{}`, "replica a?[2Jb false true"},
		{"not LiteFS", `<html>`, ``, "its private address answers what is not LiteFS's"},
		{"endless", `{"clusterID":"` + strings.Repeat("x", 2*maxNodeAnswer), ``, "its private address answers what is not LiteFS's"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, port := liteFSAt(t, tt.info, tt.vars)
			n := Asker{Port: port}.Node(t.Context(), m)
			got := n.Unknown
			if n.Known() {
				got = fmt.Sprint(n.Role(), " ", n.LiteFS.Primary, " ", n.LiteFS.Candidate, " ", n.Ready)
				for _, db := range n.Databases {
					got += fmt.Sprint(" ", db.Name, " ", transactions(db.Position))
				}
			}
			if got != tt.want || (n.Via == ViaAddress) != n.Known() {
				t.Errorf("got %q by %q, want %q", got, n.Via, tt.want)
			}
		})
	}
}

// Where the address does not answer the machine is asked by exec, if that is allowed;
// where neither does, both reasons are told.
func TestNodeOverExec(t *testing.T) {
	good, err := json.Marshal(nodestatus.Status{Mode: nodestatus.Volume, Ready: true, Databases: []nodestatus.Database{{Name: "a\x07.db"}}})
	if err != nil {
		t.Fatal(err)
	}
	e := &execs{answers: map[string]fly.MachineExecResponse{
		"good":  {StdOut: string(good)},
		"old":   {ExitCode: 127, StdErr: "not found\x1b[2J"},
		"other": {StdOut: "hello"},
	}}
	machine := func(id string) *fly.Machine {
		return &fly.Machine{ID: id, State: "started", PrivateIP: "127.0.0.1"}
	}
	machines := []*fly.Machine{machine("good"), machine("old"), machine("other"), machine("refused"),
		{ID: "stopped", State: "stopped"}, {ID: "down", State: "started", HostStatus: "unreachable"}}
	nothing := httptest.NewServer(nil)
	port := int(netip.MustParseAddrPort(nothing.Listener.Addr().String()).Port())
	nothing.Close()

	want := map[string]string{
		"good":    "",
		"old":     "its private address has no LiteFS; exec: flysql-entrypoint --status --json: exit code 127: not found?[2J",
		"other":   "its private address has no LiteFS; exec: flysql-entrypoint --status --json says what is not its JSON",
		"refused": "its private address has no LiteFS; exec: not allowed",
		"stopped": "it is stopped",
		"down":    "its host is unreachable",
	}
	for _, m := range machines {
		n := Asker{Execer: e, Port: port}.Node(t.Context(), m)
		if n.Unknown != want[m.ID] || (n.Via == ViaExec) != (m.ID == "good") {
			t.Errorf("%s: by %q: %q\nwant %q", m.ID, n.Via, n.Unknown, want[m.ID])
		}
		if m.ID == "good" && (n.Mode != nodestatus.Volume || n.Databases[0].Name != "a?.db") {
			t.Errorf("%+v", n)
		}
	}
	before := e.calls
	all := Asker{Port: port}.Nodes(t.Context(), machines)
	if len(all) != len(machines) || e.calls != before || all["good"].Unknown != "its private address has no LiteFS" {
		t.Errorf("%d nodes, %d commands run; %q", len(all), e.calls-before, all["good"].Unknown)
	}
}

// An address that is not private is never asked, whoever says so.
func TestNodeAddressIsPrivate(t *testing.T) {
	for _, ip := range []string{"", "8.8.8.8", "example.com", "2001:db8::1", "127.0.0.1/../x"} {
		n := Asker{}.Node(t.Context(), &fly.Machine{ID: "m", State: "started", PrivateIP: ip})
		if n.Unknown != "it has no private address" {
			t.Errorf("%q: %+v", ip, n)
		}
	}
}

func TestBehind(t *testing.T) {
	at := func(position string) Node {
		return Node{Status: nodestatus.Status{Databases: []nodestatus.Database{{Name: "a", Position: position}}}}
	}
	for _, tt := range []struct {
		n, of string
		lacks uint64
		known bool
	}{{"05/1", "0a/1", 5, true}, {"0a/1", "05/1", 0, true}, {"", "05/1", 0, false}, {"05/1", "", 0, false}} {
		if lacks, known := Behind(at(tt.n), at(tt.of), "a"); lacks != tt.lacks || known != tt.known {
			t.Errorf("%q of %q: %d, %v", tt.n, tt.of, lacks, known)
		}
	}
}

// FuzzExec holds that no output of a machine is a panic, or has a control character.
func FuzzExec(f *testing.F) {
	f.Add(`{"mode":"litefs","litefs":{"role":"primary"},"databases":[{"name":"a"}]}`)
	f.Add(`{"mode":"\u001b"}`)
	f.Fuzz(func(t *testing.T, out string) {
		e := &execs{answers: map[string]fly.MachineExecResponse{"m": {StdOut: out}}}
		n := Asker{Execer: e}.Node(t.Context(), &fly.Machine{ID: "m", State: "started"})
		if (n.Via == "") == (n.Unknown == "") {
			t.Errorf("by %q, %q", n.Via, n.Unknown)
		}
		if strings.ContainsAny(n.Mode+n.Why+n.Role(), "\x1b\x07\n") {
			t.Errorf("%+v", n)
		}
	})
}
