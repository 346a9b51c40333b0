package entrypoint

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// nodeInfo is LiteFS's answer to GET /info.
type nodeInfo struct {
	ClusterID string `json:"clusterID"`
	IsPrimary bool   `json:"isPrimary"`
	Candidate bool   `json:"candidate"`
	Primary   struct {
		Hostname string `json:"hostname"` // "" when no primary is known
	} `json:"primary"`

	id string // of this run of LiteFS, by which it signs its transactions
}

func (i nodeInfo) role() string {
	if i.IsPrimary {
		return "primary"
	}
	return "replica"
}

// info asks LiteFS what it is.
func (n *node) info(ctx context.Context) (nodeInfo, error) { return infoOf(ctx, n.api) }

// caughtUp tells whether a replica has all that the primary had when it connected:
// its lag is known only from then on.
func (n *node) caughtUp(ctx context.Context) bool {
	_, known := n.lag(ctx)
	return known
}

// lag is how far the node is behind, in milliseconds by the clocks of two machines.
func (n *node) lag(ctx context.Context) (ms int64, known bool) {
	var lag []byte
	came, err := within(ctx, time.Second, func() (err error) {
		lag, err = os.ReadFile(filepath.Join(n.mount, ".lag"))
		return err
	})
	if !came || err != nil {
		return 0, false
	}
	ms, err = strconv.ParseInt(strings.TrimSpace(string(lag)), 10, 64)
	return ms, err == nil && ms < math.MaxInt32
}

// position is where a database stands: how many transactions, and the checksum of
// its content then. Its zero value is before the first one.
type position struct{ tx, checksum uint64 }

func (p position) String() string { return fmt.Sprintf("%016x/%016x", p.tx, p.checksum) }

func parsePosition(s string) (position, error) {
	tx, sum, found := strings.Cut(strings.TrimSpace(s), "/")
	a, err1 := strconv.ParseUint(tx, 16, 64)
	b, err2 := strconv.ParseUint(sum, 16, 64)
	if !found || len(tx) != 16 || len(sum) != 16 || err1 != nil || err2 != nil {
		return position{}, fmt.Errorf("%.64q is not a position of LiteFS's", s)
	}
	return position{a, b}, nil
}

// positionOf reads a database's position. One that is not there yet is at zero.
func positionOf(db string) (position, error) {
	data, err := os.ReadFile(db + "-pos")
	if isNotExist(err) {
		return position{}, nil
	}
	if err != nil {
		return position{}, err
	}
	return parsePosition(string(data))
}

// addSecretURL adds what is secret in a URL.
func addSecretURL(secrets map[string]string, raw string) {
	u, err := url.Parse(raw)
	if err != nil || u.User == nil {
		return
	}
	if password, _ := u.User.Password(); len(password) > 3 { // a shorter one would blot out words
		secrets[password] = "xxxxx"
	}
	secrets[raw] = u.Redacted()
}

// redactor passes whole lines on without the secrets in them.
type redactor struct {
	w       io.Writer
	replace *strings.Replacer

	mu   sync.Mutex
	line []byte
}

func newRedactor(w io.Writer, secrets map[string]string) *redactor {
	var pairs []string
	for secret, shown := range secrets {
		pairs = append(pairs, secret, shown)
	}
	return &redactor{w: w, replace: strings.NewReplacer(pairs...)}
}

// maxLine is how much of a line without an end is kept before it is passed on.
const maxLine = 64 << 10

func (r *redactor) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.line = append(r.line, p...)
	i := bytes.LastIndexByte(r.line, '\n') + 1
	if i == 0 && len(r.line) > maxLine {
		i = len(r.line)
	}
	r.pass(i)
	return len(p), nil
}

func (r *redactor) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pass(len(r.line))
}

// pass hands on the first n bytes. That a log cannot be written is no reason for
// LiteFS to block.
func (r *redactor) pass(n int) {
	if n > 0 {
		_, _ = io.WriteString(r.w, r.replace.Replace(string(r.line[:n])))
		r.line = append(r.line[:0], r.line[n:]...)
	}
}
