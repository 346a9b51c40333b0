package lease_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/lease"
	"github.com/flysql/flysql/internal/testkit"
)

// pair is our server and Consul.
type pair struct {
	t        *testing.T
	urls     [2]string
	token    string
	sessions [2][]string // ids in the order in which both made them
	indexes  [][2]uint64 // what both have shown in the same place
}

func newPair(t *testing.T) *pair {
	t.Helper()
	consul := testkit.NewConsul(t)
	return &pair{t: t, urls: [2]string{newServer(t), consul.URL}}
}

func newServer(t *testing.T) string {
	t.Helper()
	s, err := lease.Open(lease.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return web.URL
}

// answer is what can be compared of an answer: session ids are {0}, {1}, in the order
// in which they were made, and indexes are noted aside.
type answer struct {
	Status  int
	Body    any
	Headers []string
	indexes []uint64
}

func (a answer) String() string { return fmt.Sprintf("%d %v %v", a.Status, a.Body, a.Headers) }

// ask asks both, and compares. {0} in path and body is the first session that both
// have made. It returns what both say, or ours where they differ.
func (p *pair) ask(method, path, body string) string {
	p.t.Helper()
	var got [2]answer
	for i := range got {
		got[i] = p.one(i, method, path, body)
	}
	ours, consuls := got[0], got[1]
	if len(p.sessions[0]) != len(p.sessions[1]) || !reflect.DeepEqual([]any{ours.Status, ours.Body, ours.Headers}, []any{consuls.Status, consuls.Body, consuls.Headers}) {
		p.t.Errorf("%s %s %.80s\nours:   %v\nconsul: %v", method, path, body, ours, consuls)
	}
	if len(ours.indexes) == len(consuls.indexes) {
		for i := range ours.indexes {
			p.indexes = append(p.indexes, [2]uint64{ours.indexes[i], consuls.indexes[i]})
		}
	} else {
		p.t.Errorf("%s %s: ours has %d indexes, consul's %d", method, path, len(ours.indexes), len(consuls.indexes))
	}
	return strings.TrimSpace(fmt.Sprint(ours.Status, " ", ours.Body))
}

func (p *pair) one(i int, method, path, body string) answer {
	p.t.Helper()
	for n, id := range p.sessions[i] {
		path, body = strings.ReplaceAll(path, fmt.Sprintf("{%d}", n), id), strings.ReplaceAll(body, fmt.Sprintf("{%d}", n), id)
	}
	req, err := http.NewRequest(method, p.urls[i]+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if p.token != "" {
		req.Header.Set("X-Consul-Token", p.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	a := answer{Status: res.StatusCode}
	for _, h := range []string{"X-Consul-Index", "X-Consul-KnownLeader", "X-Consul-LastContact", "Allow"} {
		if v := res.Header.Get(h); v != "" {
			if h == "X-Consul-Index" {
				v = fmt.Sprint(p.plain(&a, i, "ModifyIndex", json.Number(v)))
			}
			if h == "Allow" {
				v = "" // Consul has more methods
			}
			a.Headers = append(a.Headers, h+": "+v)
		}
	}
	if a.Status != http.StatusOK { // the words are Consul's own, and change with its version
		a.Body = map[bool]string{true: "a message"}[len(data) > 0]
		return a
	}
	a.Body = p.decode(&a, i, path, data)
	return a
}

func (p *pair) decode(a *answer, i int, path string, data []byte) any {
	p.t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		p.t.Fatalf("%s: %q: %v", path, data, err)
	}
	if made, ok := v.(map[string]any); ok && strings.HasPrefix(path, "/v1/session/create") {
		p.sessions[i] = append(p.sessions[i], fmt.Sprint(made["ID"]))
	}
	return p.plain(a, i, "", v)
}

// plain replaces what differs between two servers that say the same.
func (p *pair) plain(a *answer, i int, name string, v any) any {
	switch v := v.(type) {
	case []any:
		for n := range v {
			v[n] = p.plain(a, i, "", v[n])
		}
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys) // indexes are noted in this order
		for _, key := range keys {
			v[key] = p.plain(a, i, key, v[key])
		}
	case json.Number:
		if name == "CreateIndex" || name == "ModifyIndex" {
			n, err := v.Int64()
			if err != nil {
				p.t.Fatal(err)
			}
			a.indexes = append(a.indexes, uint64(n))
			return "index"
		}
	case string:
		if n := slices.Index(p.sessions[i], v); n >= 0 {
			return fmt.Sprintf("{%d}", n)
		}
	}
	return v
}

// inOrder tells whether indexes stand to each other as Consul's do: equal where those
// are, and later where those are.
func (p *pair) inOrder() {
	p.t.Helper()
	sorted := slices.Clone(p.indexes)
	slices.SortFunc(sorted, func(a, b [2]uint64) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
	for i := 1; i < len(sorted); i++ {
		was, is := sorted[i-1], sorted[i]
		if cmp.Compare(was[0], is[0]) != cmp.Compare(was[1], is[1]) {
			p.t.Errorf("our indexes %d and %d stand where consul has %d and %d", was[0], is[0], was[1], is[1])
		}
	}
	if len(sorted) == 0 {
		p.t.Error("no index was seen")
	}
}
