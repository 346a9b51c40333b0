package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/flysql/flysql/internal/dev"
)

const (
	// actionTime bounds what a button does. It goes on where the browser goes away: half
	// a restart is worse than one that nobody looks at.
	actionTime = 3 * time.Minute
	deployTime = 20 * time.Minute
	mostSlow   = time.Minute
)

// answer is of every action.
type answer struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

func (p *Page) routeAPI() {
	p.mux.HandleFunc("GET "+p.prefix+"/api/state", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, p.source.State())
	})
	p.mux.HandleFunc("POST "+p.prefix+"/api/machines/{id}/{action}", p.machineAction)
	p.mux.HandleFunc("POST "+p.prefix+"/api/regions/{code}/{action}", p.regionAction)
	p.mux.HandleFunc("POST "+p.prefix+"/api/deploy", func(w http.ResponseWriter, r *http.Request) {
		act(w, r, deployTime, p.source.Deploy)
	})
	p.mux.HandleFunc("POST "+p.prefix+"/api/send", p.send)
}

func (p *Page) machineAction(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	do, known := map[string]func(ctx context.Context, id string) error{
		"kill":    func(_ context.Context, id string) error { return p.source.Kill(id) },
		"stop":    p.source.Stop,
		"start":   p.source.StartMachine,
		"restart": p.source.Restart,
		"handoff": p.source.HandOff,
	}[r.PathValue("action")]
	if !known {
		notFound(w, "%q cannot be done to a machine: want kill, stop, start, restart, handoff", r.PathValue("action"))
		return
	}
	if !slices.ContainsFunc(p.source.State().Machines, func(m dev.Machine) bool { return m.ID == id }) {
		notFound(w, "there is no machine %q", id)
		return
	}
	act(w, r, actionTime, func(ctx context.Context) error { return do(ctx, id) })
}

func (p *Page) regionAction(w http.ResponseWriter, r *http.Request) {
	code := r.PathValue("code")
	if !slices.ContainsFunc(p.source.State().Regions, func(g dev.Region) bool { return g.Code == code }) {
		notFound(w, "there is no region %q", code)
		return
	}
	var do func(context.Context) error
	switch action := r.PathValue("action"); action {
	case "cut", "mend":
		do = func(context.Context) error { return p.source.Cut(code, action == "cut") }
	case "slow":
		var body struct {
			MS float64 `json:"ms"`
		}
		if !readJSON(w, r, &body) {
			return
		}
		by := time.Duration(body.MS * float64(time.Millisecond))
		if !(body.MS >= 0) || by > mostSlow || by < 0 {
			writeJSON(w, http.StatusBadRequest, answer{Error: fmt.Sprintf("ms is %g: want 0 to %d", body.MS, mostSlow.Milliseconds())})
			return
		}
		do = func(context.Context) error { return p.source.Slow(code, by) }
	case "choose":
		c, can := p.source.(chooser)
		if !can {
			notFound(w, "the region cannot be chosen here")
			return
		}
		do = func(context.Context) error { return c.SetRegion(code) }
	default:
		notFound(w, "%q cannot be done to a region: want cut, mend, slow, choose", action)
		return
	}
	act(w, r, actionTime, do)
}

// act does something, and answers how it went.
func act(w http.ResponseWriter, r *http.Request, limit time.Duration, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), limit)
	defer cancel()
	if err := do(ctx); err != nil {
		writeJSON(w, http.StatusConflict, answer{Error: err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, answer{OK: true})
}

func notFound(w http.ResponseWriter, format string, args ...any) {
	writeJSON(w, http.StatusNotFound, answer{Error: fmt.Sprintf(format, args...)})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

// readJSON reads a small body, and answers where it is none.
func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("more follows the object")
		}
	} else if err == io.EOF {
		err = errors.New(`there is none: with curl, give it by -d`)
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, answer{Error: "read the request's JSON: " + err.Error()})
		return false
	}
	return true
}
