package replay_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/replay"
)

// replica is a machine in a cluster whose primary is another.
type replica struct{ changed chan struct{} }

func (r replica) State() engine.State {
	return engine.State{Role: engine.RoleReplica, Primary: "d891234f", Ready: true, ClusterID: "LFSC1", Changed: r.changed}
}

func (replica) WaitPosition(context.Context, string, engine.Pos) error { return nil }

func Example() {
	os.Setenv("FLY_MACHINE_ID", "e784567a") // Fly.io sets it
	defer os.Unsetenv("FLY_MACHINE_ID")
	r, err := replay.New(replay.Config{DB: "app.db", Engine: replica{make(chan struct{})}}) // Engine: where it is not LiteFS
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "read here") })
	mux.HandleFunc("POST /messages", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "written") })
	h := r.Handler(mux)

	for _, method := range []string{"GET /", "POST /messages"} {
		var verb, path string
		fmt.Sscan(method, &verb, &path)
		req := httptest.NewRequest(verb, path, nil)
		req.Header.Set("Fly-Request-Id", "01") // Fly's proxy sets it
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		fmt.Printf("%s: %d %q\n", method, w.Code, w.Header().Get("Fly-Replay"))
	}
	// Output:
	// GET /: 200 ""
	// POST /messages: 409 "instance=d891234f;timeout=5s;fallback=force_self;state=1.e784567a"
}

func ExampleEnsurePrimary() {
	http.HandleFunc("GET /unsubscribe", func(w http.ResponseWriter, r *http.Request) {
		if !replay.EnsurePrimary(w, r) {
			return // the request is on its way to the primary
		}
		fmt.Fprintln(w, "You get no more mail.")
	})
	// Output:
}

func ExampleRedirected() {
	read := func(context.Context) error { return nil } // may write, with whatever driver
	http.HandleFunc("GET /counter", func(w http.ResponseWriter, r *http.Request) {
		err := read(r.Context())
		switch {
		case replay.Redirected(w, r, err):
			return
		case err != nil:
			http.Error(w, "sorry", http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "counted")
	})
	// Output:
}

func ExampleRouter_RunOnPrimary() {
	r, err := replay.New(replay.Config{Engine: alone{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	err = r.RunOnPrimary(context.Background(), func(ctx context.Context) error {
		fmt.Println("clean up, until", ctx.Err() == nil, "is no longer so")
		return nil
	})
	fmt.Println(err)
	// Output:
	// clean up, until true is no longer so
	// <nil>
}

// alone is the primary for good.
type alone struct{}

func (alone) State() engine.State {
	return engine.State{Role: engine.RolePrimary, Ready: true, Changed: make(chan struct{})}
}

func (alone) WaitPosition(context.Context, string, engine.Pos) error { return nil }

func ExampleRouter_HealthHandler() {
	r, err := replay.New(replay.Config{Engine: replica{make(chan struct{})}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	w := httptest.NewRecorder()
	r.HealthHandler().ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 200 {"healthy":true,"role":"replica","primary":"d891234f","lag_ms":0,"candidate":false}
}
