package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/nodestatus"
)

// The ways in which a machine can have been asked.
const (
	ViaAddress = "private address" // LiteFS's API there: inside Fly, or over WireGuard
	ViaExec    = "exec"            // flysql-entrypoint --status in the machine, by Fly's API
)

// Node is what a machine said of its database.
type Node struct {
	nodestatus.Status        // of ViaAddress, no more than LiteFS knows
	Via               string // "" where it could not be asked
	Unknown           string // why not
}

// Known tells whether the node's LiteFS said what it is.
func (n Node) Known() bool { return n.LiteFS != nil && n.LiteFS.Answers }

// Role is the node's, or "" where that is not known or there is no LiteFS.
func (n Node) Role() string {
	if n.LiteFS == nil {
		return ""
	}
	return n.LiteFS.Role
}

// Position is where a database of the node stands, "" where that is not known.
func (n Node) Position(database string) string {
	for _, db := range n.Databases {
		if db.Name == database {
			return db.Position
		}
	}
	return ""
}

// Execer runs a command in a machine: flyapi.Client does.
type Execer interface {
	Exec(ctx context.Context, id, command string, within time.Duration) (*fly.MachineExecResponse, error)
}

// Asker asks machines what they are.
type Asker struct {
	// Execer is asked where a machine's private address does not answer; nil is never.
	// Fly's API counts it as a write, so doctor does without.
	Execer Execer
	// Port is LiteFS's; 0 is 20202.
	Port int
}

const (
	liteFSPort    = 20202
	addressLimit  = time.Second     // an answer from the private address
	execLimit     = 5 * time.Second // what flysql-entrypoint may take: two, and the way
	askAtOnce     = 64
	maxNodeAnswer = 1 << 20
	statusCommand = "flysql-entrypoint --status --json"
)

// Nodes asks all machines, at the same time, and returns what each said, by its id: one
// that could not be asked is there too, with the reason. It never guesses.
func (a Asker) Nodes(ctx context.Context, machines []*fly.Machine) map[string]Node {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		found  = make(map[string]Node, len(machines))
		places = make(chan struct{}, askAtOnce)
	)
	for _, m := range machines {
		wg.Go(func() {
			places <- struct{}{}
			n := a.Node(ctx, m)
			<-places
			mu.Lock()
			defer mu.Unlock()
			found[m.ID] = n
		})
	}
	wg.Wait()
	return found
}

// Node asks one machine.
func (a Asker) Node(ctx context.Context, m *fly.Machine) Node {
	if m.State != fly.MachineStateStarted {
		return Node{Unknown: "it is " + cmp.Or(m.State, "in no state")}
	}
	if !Reachable(string(m.HostStatus)) {
		return Node{Unknown: "its host is " + string(m.HostStatus)}
	}
	status, err := a.overAddress(ctx, m.PrivateIP)
	if err == nil {
		return Node{Status: status, Via: ViaAddress}
	}
	why := err.Error()
	if a.Execer == nil || ctx.Err() != nil {
		return Node{Unknown: why}
	}
	if status, err = a.overExec(ctx, m.ID); err == nil {
		return Node{Status: status, Via: ViaExec}
	}
	return Node{Unknown: why + "; " + err.Error()}
}

// overAddress asks LiteFS itself, as package litefs reads it: GET /info, and the
// positions, which only /debug/vars has on a distant node.
func (a Asker) overAddress(ctx context.Context, ip string) (nodestatus.Status, error) {
	addr, err := netip.ParseAddr(ip)
	if err != nil || !addr.IsPrivate() && !addr.IsLoopback() {
		return nodestatus.Status{}, errors.New("it has no private address")
	}
	ctx, cancel := context.WithTimeout(ctx, addressLimit)
	defer cancel()
	base := "http://" + net.JoinHostPort(addr.String(), strconv.Itoa(cmp.Or(a.Port, liteFSPort)))
	var info struct {
		ClusterID string `json:"clusterID"`
		IsPrimary bool   `json:"isPrimary"`
		Candidate bool   `json:"candidate"`
		Primary   struct {
			Hostname string `json:"hostname"`
		} `json:"primary"`
	}
	if err := getJSON(ctx, base+"/info", &info); err != nil {
		return nodestatus.Status{}, fmt.Errorf("its private address %w", err)
	}
	n := &nodestatus.Node{Answers: true, Role: nodestatus.Replica, Primary: printable(info.Primary.Hostname), Candidate: info.Candidate, ClusterID: printable(info.ClusterID)}
	s := nodestatus.Status{Mode: nodestatus.LiteFS, LiteFS: n, Databases: []nodestatus.Database{}}
	if info.IsPrimary {
		n.Role, n.Hostname = nodestatus.Primary, n.Primary
	} else if n.Primary == "" {
		s.Why = "it knows no primary"
	}
	s.Ready = s.Why == ""
	var vars struct {
		Store struct {
			DBs map[string]struct{ TXID, Checksum string }
		}
	}
	if err := getJSON(ctx, base+"/debug/vars", &vars); err != nil {
		return s, nil // its role is known nevertheless
	}
	for name, db := range vars.Store.DBs {
		if position := db.TXID + "/" + db.Checksum; transactions(position) > 0 {
			s.Databases = append(s.Databases, nodestatus.Database{Name: printable(name), Position: printable(position)})
		}
	}
	slices.SortFunc(s.Databases, func(x, y nodestatus.Database) int { return cmp.Compare(x.Name, y.Name) })
	return s, nil
}

// nodeClient keeps to what it is pointed at: no proxy, no redirect.
var nodeClient = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// getJSON asks for a small document. Its errors go on from "it".
func getJSON(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := nodeClient.Do(request)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("has no LiteFS")
	case err != nil:
		return errors.New("cannot be reached from here")
	}
	defer response.Body.Close() // it was only read
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answers with status %d", response.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxNodeAnswer)).Decode(into); err != nil {
		return errors.New("answers what is not LiteFS's")
	}
	return nil
}

// overExec asks flysql-entrypoint in the machine.
func (a Asker) overExec(ctx context.Context, id string) (nodestatus.Status, error) {
	answer, err := a.Execer.Exec(ctx, id, statusCommand, execLimit)
	if err != nil {
		return nodestatus.Status{}, fmt.Errorf("exec: %w", err)
	}
	if answer.ExitCode != 0 {
		why := printable(strings.TrimSpace(answer.StdErr))
		return nodestatus.Status{}, fmt.Errorf("exec: %s: exit code %d: %.200s", statusCommand, answer.ExitCode, cmp.Or(why, "is flysql-entrypoint of this release in the image?"))
	}
	var s nodestatus.Status
	if err := json.Unmarshal([]byte(answer.StdOut), &s); err != nil || s.Mode == "" {
		return nodestatus.Status{}, fmt.Errorf("exec: %s says what is not its JSON", statusCommand)
	}
	return clean(s), nil
}

// clean takes what could move a terminal's cursor out of what a machine says.
func clean(s nodestatus.Status) nodestatus.Status {
	for _, text := range []*string{&s.Version, &s.Mode, &s.Why, &s.Volume.Path, &s.Migrations.Tool, &s.Migrations.Why} {
		*text = printable(*text)
	}
	if n := s.LiteFS; n != nil {
		for _, text := range []*string{&n.Role, &n.Hostname, &n.Primary, &n.ClusterID, &n.Watchdog, &n.Lease.Type, &n.Lease.Holder, &n.Lease.Why} {
			*text = printable(*text)
		}
	}
	for i := range s.Databases {
		s.Databases[i].Name, s.Databases[i].Position = printable(s.Databases[i].Name), printable(s.Databases[i].Position)
	}
	for i := range s.Migrations.Pending {
		s.Migrations.Pending[i] = printable(s.Migrations.Pending[i])
	}
	return s
}

// printable is text without control characters, and of bounded length.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}

// transactions is the number in a position, 0 where there is none.
func transactions(position string) uint64 {
	number, _, _ := strings.Cut(position, "/")
	n, err := strconv.ParseUint(number, 16, 64)
	if err != nil {
		return 0
	}
	return n
}

// Behind says how many transactions of a database a node lacks that another has; false
// where one of them is not known.
func Behind(n, of Node, database string) (lacks uint64, known bool) {
	have, all := n.Position(database), of.Position(database)
	if have == "" || all == "" {
		return 0, false
	}
	return transactions(all) - min(transactions(have), transactions(all)), true
}
