package lease

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A state that no server has written is refused, with what to do, and left alone.
func TestCorruptState(t *testing.T) {
	good := `{"index":3,"keys_index":3,"keys":{},"sessions":{},"nodes":{}}`
	for _, tt := range []struct{ text, want string }{
		{"", "EOF"},
		{"{", "unexpected EOF"},
		{"{}", "keys, sessions or nodes are missing"},
		{good[:len(good)-1], "unexpected EOF"},
		{good + good, "there is more after its end"},
		{strings.Replace(good, "index", "indices", 1), `unknown field "indices"`},
		{strings.Replace(good, "3", "-3", 1), "number -3"},
		{strings.Replace(good, `"keys_index":3`, `"keys_index":4`, 1), "of the future"},
		{strings.Replace(good, `"keys":{}`, `"keys":{"k":{"session":"gone"}}`, 1), `key "k" is held by a session that is missing`},
		{strings.Replace(good, `"keys":{}`, `"keys":{"k":{"modify_index":9}}`, 1), "index of the future"},
		{strings.Replace(good, `"sessions":{}`, `"sessions":{"s":{"ttl":"never"}}`, 1), `session "s": Session TTL "never" invalid`},
		{strings.Repeat("\x00", 4096), "invalid character"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(stateFile(dir), []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Options{Dir: dir})
		if err == nil {
			shut(t, s)
			t.Errorf("%.80q was taken", tt.text)
			continue
		}
		for _, want := range []string{tt.want, stateFile(dir), "remove it to begin"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%.80q: %v, want %q", tt.text, err, want)
			}
		}
		if data, err := os.ReadFile(stateFile(dir)); string(data) != tt.text {
			t.Errorf("%.80q is now %q, %v", tt.text, data, err)
		}
		// And the directory is free again.
		if err := os.WriteFile(stateFile(dir), []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		open(t, Options{Dir: dir})
	}
}

// Whatever is read is refused or written the same again.
func FuzzState(f *testing.F) {
	f.Add(`{"index":3,"keys_index":3,"keys":{"k":{"value":"dg==","session":"s","modify_index":2}},"sessions":{"s":{"node":"lease","ttl":"10s"}},"nodes":{"n":"a"}}`)
	f.Add(`{"index":3`)
	f.Fuzz(func(t *testing.T, text string) {
		first, err := decode([]byte(text))
		if err != nil {
			return
		}
		one, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := decode(one)
		if err != nil {
			t.Fatalf("%q was read, and %s was not: %v", text, one, err)
		}
		if two, err := json.Marshal(second); err != nil || string(one) != string(two) {
			t.Errorf("%s became %s, %v", one, two, err)
		}
	})
}

func TestNoState(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(Options{Dir: filepath.Join(dir, "missing")}); err == nil {
		t.Error("a directory that is missing was taken")
	}
	if err := os.Mkdir(stateFile(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a directory in the state's place: %v", err)
	}
}

// One state, one server.
func TestTwoServers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "another lease server has its state in "+dir) {
		t.Errorf("a second server: %v", err)
	}
	ask(t, s, "PUT", "/v1/kv/k", "v")
	shut(t, s)
	shut(t, s)
	next := open(t, Options{Dir: dir})
	if value, _ := next.Get("k"); string(value) != "v" {
		t.Errorf("k is %q", value)
	}
	if got := ask(t, s, "PUT", "/v1/kv/k", "late"); got != "500 the lease server is closed" {
		t.Errorf("a closed server: %s", got)
	}
	if _, err := s.Expire("k"); err != nil {
		t.Errorf("Expire of a key that nobody holds: %v", err)
	}
}

// What could not be written has not happened.
func TestStateCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	a, b := newSession(t, s, "10s"), newSession(t, s, "10s")
	ask(t, s, "PUT", "/v1/kv/k?acquire="+a, "v")
	// A directory in the temporary file's place, which cannot be removed.
	blocked := filepath.Join(stateFile(dir)+".tmp", "file")
	if err := os.MkdirAll(blocked, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/kv/k?release=" + a, "/v1/kv/new?acquire=" + b, "/v1/session/destroy/" + a, "/v1/session/create"} {
		if got := ask(t, s, "PUT", path, ""); !strings.HasPrefix(got, "500 keep the lease server's state: ") {
			t.Errorf("%s: %s", path, got)
		}
	}
	if got := ask(t, s, "PUT", "/v1/session/renew/"+a, ""); !strings.HasPrefix(got, "200") {
		t.Errorf("renew, which writes nothing: %s", got)
	}
	if value, held := s.Get("k"); string(value) != "v" || !held {
		t.Errorf("k is %q, held %v", value, held)
	}
	if value, held := s.Get("new"); value != nil || held {
		t.Errorf("new is %q, held %v", value, held)
	}
	if err := os.RemoveAll(filepath.Dir(blocked)); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, "PUT", "/v1/kv/k?acquire="+b, ""); got != "200 false" {
		t.Errorf("acquire what is held: %s", got)
	}
	if got := ask(t, s, "PUT", "/v1/session/destroy/"+a, ""); got != "200 true" {
		t.Errorf("destroy: %s", got)
	}
	if got := ask(t, s, "GET", "/v1/kv/k", ""); got != "404" {
		t.Errorf("after the end: %s", got)
	}
}

// What a killed write has left is replaced, and a link in its place is not followed.
func TestLeftOver(t *testing.T) {
	dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	tmp := stateFile(dir) + ".tmp"
	for _, leave := range []func() error{
		func() error { return os.WriteFile(tmp, []byte(`{"index":`), 0o600) },
		func() error { return os.Symlink(victim, tmp) },
	} {
		if err := leave(); err != nil {
			t.Fatal(err)
		}
		s := open(t, Options{Dir: dir})
		if got := ask(t, s, "PUT", "/v1/kv/k", "v"); got != "200 true" {
			t.Error(got)
		}
		shut(t, s)
		if _, err := read(dir); err != nil {
			t.Error(err)
		}
		os.Remove(stateFile(dir))
	}
	if data, err := os.ReadFile(victim); string(data) != "mine" {
		t.Errorf("the link's target is %q, %v", data, err)
	}
}

// asServer has the test's binary be a server, with its state in the directory.
const asServer = "FLYSQL_TEST_AS_LEASE_SERVER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asServer); dir != "" {
		s, err := Open(Options{Dir: dir})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		web := httptest.NewServer(s)
		fmt.Println(web.URL)
		select {}
	}
	os.Exit(m.Run())
}

// A server that is killed at any moment starts again, with all that it answered. The
// kill falls into whatever it does at that moment: writes go on until they fail.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	var last int // the value that was acknowledged
	for round := range 12 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), asServer+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Scan()
		url := lines.Text()
		got := 0
		if res, err := http.Get(url + "/v1/kv/n"); err != nil {
			t.Errorf("round %d: %s: %v", round, url, err)
		} else {
			var keys []struct{ Value []byte }
			json.NewDecoder(res.Body).Decode(&keys)
			res.Body.Close()
			if len(keys) == 1 {
				fmt.Sscan(string(keys[0].Value), &got)
			}
		}
		if got != last && got != last+1 { // the one without an answer may be there
			t.Errorf("round %d: %d was acknowledged, %d is there", round, last, got)
		}
		last = got
		kill := time.AfterFunc(time.Duration(3+7*round)*time.Millisecond, func() { cmd.Process.Kill() })
		for put(url, last+1) {
			last++
		}
		kill.Stop()
		cmd.Process.Kill()
		cmd.Wait()
	}
	if last == 0 {
		t.Error("nothing was ever acknowledged")
	}
	if _, err := os.Stat(stateFile(dir)); err != nil {
		t.Error(err)
	}
}

// put tells whether n was acknowledged.
func put(url string, n int) bool {
	req, err := http.NewRequest("PUT", url+"/v1/kv/n", strings.NewReader(fmt.Sprint(n)))
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}
