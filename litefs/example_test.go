package litefs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/flysql/flysql/litefs"
)

// fake is a LiteFS for the examples: it speaks the protocol, and keeps nothing.
type fake struct {
	*httptest.Server
	dir    string
	events chan string

	mu      sync.Mutex
	primary bool
}

func newFake(primary bool) *fake {
	dir, err := os.MkdirTemp("", "litefs")
	if err != nil {
		log.Fatal(err)
	}
	f := &fake{dir: dir, events: make(chan string, 10), primary: primary}
	f.file(".lag", "+000000000\n")
	f.file("app.db-pos", "0000000000000003/8f1c2d3e4f506172\n")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", f.serveEvents)
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Litefs-Id", "00000000000000A2")
		fmt.Fprintf(w, `{"clusterID":"LFSC1","candidate":true,"isPrimary":%v,"primary":{"hostname":%q}}`, f.isPrimary(), f.hostname())
	})
	mux.HandleFunc("POST /promote", func(w http.ResponseWriter, r *http.Request) { f.become(true) })
	mux.HandleFunc("POST /handoff", func(w http.ResponseWriter, r *http.Request) { f.become(false) })
	mux.HandleFunc("GET /export", func(w http.ResponseWriter, r *http.Request) { w.Write(emptyDatabase()) })
	mux.HandleFunc("POST /import", func(w http.ResponseWriter, r *http.Request) {
		if !f.isPrimary() {
			http.Error(w, "context canceled", http.StatusServiceUnavailable)
			return
		}
		io.Copy(io.Discard, r.Body)
	})
	f.Server = httptest.NewServer(mux)
	return f
}

func (f *fake) serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Litefs-Id", "00000000000000A2")
	fmt.Fprintln(w, f.role("init"))
	for {
		w.(http.Flusher).Flush()
		select {
		case line := <-f.events:
			fmt.Fprintln(w, line)
		case <-r.Context().Done():
			return
		}
	}
}

func (f *fake) isPrimary() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.primary
}

func (f *fake) hostname() string {
	if f.isPrimary() {
		return "node2"
	}
	return "node1"
}

func (f *fake) role(event string) string {
	if f.isPrimary() {
		return fmt.Sprintf(`{"type":%q,"data":{"isPrimary":true}}`, event)
	}
	return fmt.Sprintf(`{"type":%q,"data":{"isPrimary":false,"hostname":"node1"}}`, event)
}

func (f *fake) become(primary bool) {
	f.mu.Lock()
	f.primary = primary
	f.mu.Unlock()
	f.events <- f.role("primaryChange")
}

func (f *fake) commit(pos litefs.Pos) {
	f.file("app.db-pos", pos.String()+"\n")
	f.events <- fmt.Sprintf(`{"type":"tx","db":"app.db","data":{"txID":"%016x","postApplyChecksum":"%016x","commit":2}}`, pos.TXID, pos.PostApplyChecksum)
}

func (f *fake) file(name, text string) {
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}
}

func (f *fake) open() *litefs.Node {
	node, err := litefs.Open(litefs.Config{Addr: f.URL, FUSEDir: f.dir})
	if err != nil {
		log.Fatal(err)
	}
	return node
}

func (f *fake) Close() {
	f.Server.Close()
	os.RemoveAll(f.dir)
}

// emptyDatabase is a SQLite file of one page.
func emptyDatabase() []byte {
	page := make([]byte, 4096)
	copy(page, "SQLite format 3\x00\x10\x00")
	page[31] = 1
	return page
}

func Example() {
	f := newFake(false)
	defer f.Close()

	// On Fly, litefs.Config{} is enough.
	node, err := litefs.Open(litefs.Config{Addr: f.URL, FUSEDir: f.dir})
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()
	if _, err := node.WaitPrimary(context.Background()); err != nil {
		log.Fatal(err)
	}

	switch st := node.State(); st.Role {
	case litefs.RolePrimary:
		fmt.Println("writes go to the file here")
	case litefs.RoleReplica:
		fmt.Println("writes go to", st.Primary)
	case litefs.RoleUnknown:
		fmt.Println("nobody knows where writes go:", st.Err)
	}
	// Output: writes go to node1
}

func ExampleOpen() {
	_, err := litefs.Open(litefs.Config{Addr: "localhost", RetryMax: -1})
	fmt.Println(err)
	// Output:
	// litefs: Config.Addr "localhost" has no port: write host:port or http://host:port, such as http://localhost:20202
	// litefs: Config.RetryMax is -1ns: use 0 for the default
}

func ExampleConfig_Validate() {
	// As they stand in litefs.yml.
	fmt.Println(litefs.Config{Addr: ":20202", FUSEDir: "/litefs"}.Validate())
	// Output: <nil>
}

func ExampleNode_State() {
	f := newFake(true)
	defer f.Close()
	node := f.open()
	defer node.Close()
	if _, err := node.WaitPrimary(context.Background()); err != nil {
		log.Fatal(err)
	}
	st := node.State()
	pos, known := st.Position("app.db")
	fmt.Println(st.Role, st.ClusterID, st.NodeID)
	fmt.Println(pos, known)
	// Output:
	// primary LFSC1 00000000000000A2
	// 0000000000000003/8f1c2d3e4f506172 true
}

func ExampleNode_WaitPosition() {
	f := newFake(false)
	defer f.Close()
	node := f.open()
	defer node.Close()

	// A visitor has written elsewhere, and shows the position of that write.
	seen, err := litefs.ParsePos("0000000000000004/8000000000000abc")
	if err != nil {
		log.Fatal(err)
	}
	f.commit(seen) // it comes here

	switch err := node.WaitPosition(context.Background(), "app.db", seen); {
	case err == nil:
		fmt.Println("this machine has it: read here")
	case errors.Is(err, litefs.ErrDiverged):
		fmt.Println("this machine has another history: ask the primary")
	default:
		fmt.Println("not in time:", err)
	}
	// Output: this machine has it: read here
}

func ExampleNode_WaitPrimary() {
	f := newFake(false)
	defer f.Close()
	node := f.open()
	defer node.Close()
	st, err := node.WaitPrimary(context.Background())
	fmt.Println(st.Role, st.Primary, err)
	// Output: replica node1 <nil>
}

func ExampleNode_ReadPosition() {
	f := newFake(true)
	defer f.Close()
	node := f.open()
	defer node.Close()
	// After a commit of one's own: what a visitor must see from now on.
	pos, err := node.ReadPosition(context.Background(), "app.db")
	fmt.Println(pos, err)
	// Output: 0000000000000003/8f1c2d3e4f506172 <nil>
}

func ExampleNode_Promote() {
	f := newFake(false)
	defer f.Close()
	node := f.open()
	defer node.Close()
	err := node.Promote(context.Background())
	fmt.Println(node.State().Role, err)
	// Output: primary <nil>
}

func ExampleNode_Handoff() {
	f := newFake(true)
	defer f.Close()
	node := f.open()
	defer node.Close()
	err := node.Handoff(context.Background(), "00000000000000A1")
	fmt.Println(node.State().Role, err)
	// Output: replica <nil>
}

func ExampleNode_Export() {
	f := newFake(false)
	defer f.Close()
	node := f.open()
	defer node.Close()
	var file strings.Builder
	err := node.Export(context.Background(), "app.db", &file)
	fmt.Println(file.Len(), err)
	// Output: 4096 <nil>
}

func ExampleNode_Import() {
	f := newFake(false)
	defer f.Close()
	node := f.open()
	defer node.Close()
	err := node.Import(context.Background(), "app.db", strings.NewReader("..."))
	fmt.Println(errors.Is(err, litefs.ErrNotPrimary))
	// Output: true
}

func ExampleNode_Close() {
	f := newFake(true)
	defer f.Close()
	node := f.open()
	fmt.Println(node.Close(), node.Close())
	fmt.Println(node.State().Err)
	// Output:
	// <nil> <nil>
	// the node is closed
}

func ExampleWithHalt() {
	err := litefs.WithHalt(context.Background(), "/litefs/app.db", func(ctx context.Context) error {
		// Open the database, migrate it, close it; by ctx's deadline.
		return nil
	})
	if errors.Is(err, litefs.ErrNotLiteFS) {
		fmt.Println("there is no LiteFS here")
	}
	// Output: there is no LiteFS here
}

func ExampleParsePos() {
	pos, err := litefs.ParsePos("0000000000000003/8f1c2d3e4f506172")
	fmt.Println(pos.TXID, pos, err)
	_, err = litefs.ParsePos("1e308")
	fmt.Println(err)
	// Output:
	// 3 0000000000000003/8f1c2d3e4f506172 <nil>
	// parse position "1e308": it must be 16 hexadecimal digits, a slash and 16 more
}

// Tell of each change of the role.
func ExampleWait() {
	f := newFake(false)
	defer f.Close()
	node := f.open()
	defer node.Close()
	var engine litefs.Engine = node

	seen := uint64(0)
	for range 2 {
		st, err := litefs.Wait(context.Background(), engine, func(st litefs.State) bool { return st.Epoch > seen })
		if err != nil {
			log.Fatal(err)
		}
		seen = st.Epoch
		fmt.Println(st.Role)
		if st.Role == litefs.RoleReplica {
			f.become(true)
		}
	}
	// Output:
	// replica
	// primary
}
