package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/flysql/flysql/internal/dev"
)

// session is a flysql dev --json that runs, and what it has told.
type session struct {
	*command
	say *printer

	mu       sync.Mutex
	state    dev.State
	requests []dev.Request
	logs     []dev.Log
	wrong    error         // a line that is no event
	changed  chan struct{} // closed when anything of that is
}

func newSession(say *printer) *session { return &session{say: say, changed: make(chan struct{})} }

// startSession starts one, and waits until all machines serve.
func (d *demo) startSession(ctx context.Context) (*session, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	s := newSession(d.say)
	args := append(d.devArgs(0), "--json")
	d.say.line("  $ " + d.say.paint(bold, "flysql "+strings.Join(args, " ")))
	c, err := d.start(args, &lines{each: s.line}, d.stderr)
	if err != nil {
		return nil, err
	}
	s.command = c
	err = s.wait(ctx, "all machines to serve", func() (bool, error) {
		for _, m := range s.state.Machines {
			if m.Error != "" {
				return false, fmt.Errorf("machine %s: %s", m.ID, m.Error)
			}
		}
		return s.state.Ready, nil
	})
	if err != nil {
		return nil, errors.Join(err, d.stop(ctx, c))
	}
	return s, nil
}

// line takes one that the command prints.
func (s *session) line(text string) {
	var e dev.Event
	err := json.Unmarshal([]byte(text), &e)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.wrong = errors.Join(s.wrong, fmt.Errorf("flysql dev --json printed %q: %w", text, err))
	}
	s.take(e)
}

// take notes an event. The caller has s.mu.
func (s *session) take(e dev.Event) {
	switch {
	case e.State != nil:
		if doing := e.State.Doing; doing != "" && doing != s.state.Doing {
			s.say.note(doing)
		}
		s.state = *e.State
	case e.Request != nil:
		s.requests = append(s.requests, *e.Request)
	case e.Log != nil:
		s.logs = append(s.logs, *e.Log)
		if line := told(e.Log.Line); line != "" {
			s.say.aside(e.Log.Machine + " | " + line)
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// told is what is shown of a machine's line: of the entrypoint's steps those that other
// machines have to do with, and how long they took; "" for nothing. All would be too much.
func told(line string) string {
	step := strings.Fields(line)
	if len(step) < 3 || step[0] != "flysql" || !slices.Contains([]string{"node", "schema", "takeover", "migrate", "handoff", "app"}, step[1]) {
		return ""
	}
	short, _, _ := strings.Cut(line, "ms  ")
	if short != line {
		short += "ms"
	}
	return short
}

// wait waits until it is so. so is called whenever something has changed, and may look at
// the session's fields.
func (s *session) wait(ctx context.Context, what string, so func() (bool, error)) error {
	for {
		s.mu.Lock()
		done, err := so()
		err = errors.Join(err, s.wrong)
		changed := s.changed
		s.mu.Unlock()
		switch {
		case err != nil:
			return fmt.Errorf("wait for %s: %w", what, err)
		case done:
			return nil
		}
		select {
		case <-changed:
		case <-s.ended:
			return fmt.Errorf("wait for %s: flysql dev ended by itself: exit code %d", what, s.code())
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
	}
}

// now is how all stands.
func (s *session) now() dev.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// port is the app's.
func (s *session) port() (int, error) {
	u, err := url.Parse(s.now().URL)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Port())
}

// regions are those that machines are in.
func (s *session) regions() (codes []string) {
	for _, r := range s.now().Regions {
		codes = append(codes, r.Code)
	}
	return codes
}

// do presses a button of the page: "machines/ams1/kill". It returns when that is done.
func (s *session) do(ctx context.Context, action string) error {
	target := strings.TrimSuffix(s.now().URL, "/") + dev.PagePrefix + "/api/" + action
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Flysql-Page", "1") // which no other site's page can send
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var answer struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return fmt.Errorf("%s: status %d: %s", action, res.StatusCode, data)
	}
	if !answer.OK {
		return fmt.Errorf("%s: %s", action, answer.Error)
	}
	return nil
}

// way does something, and returns the request that this was, as the edge of a region has
// told of it.
func (s *session) way(ctx context.Context, edge, method, path string, do func() error) (found dev.Request, err error) {
	s.mu.Lock()
	from := len(s.requests)
	s.mu.Unlock()
	if err := do(); err != nil {
		return found, err
	}
	err = s.wait(ctx, "what became of "+method+" "+path, func() (bool, error) {
		i := slices.IndexFunc(s.requests[from:], func(r dev.Request) bool {
			return r.Edge == edge && r.Method == method && r.Path == path
		})
		if i >= 0 {
			found = s.requests[from+i]
		}
		return i >= 0, nil
	})
	return found, err
}

// lately are the last requests, for who looks for what was wrong; nil for none.
func (s *session) lately() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ways []string
	for _, r := range s.requests[max(0, len(s.requests)-5):] {
		ways = append(ways, strings.TrimSpace(fmt.Sprintf("%s %s %d: %s %s", r.Method, r.Path, r.Status, r.Way, r.Error)))
	}
	if len(ways) == 0 {
		return nil
	}
	return errors.New("the last requests:\n" + strings.Join(ways, "\n"))
}

// printed tells whether a machine has printed something.
func (s *session) printed(machine, text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.logs, func(l dev.Log) bool { return l.Machine == machine && strings.Contains(l.Line, text) })
}
