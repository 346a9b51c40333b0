package private_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/private"
	"github.com/flysql/flysql/internal/testkit"
)

func addr(n int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("fdaa::%d", n)) }

var machines = []private.Machine{
	{ID: "o1", App: "guestbook", Region: "ord", Address: addr(1), Started: true, Metadata: map[string]string{"role": "primary"}},
	{ID: "a1", App: "guestbook", Region: "ams", Address: addr(2), Started: true},
	{ID: "a2", App: "guestbook", Region: "ams", Group: "worker", Address: addr(3), Started: true},
	{ID: "s1", App: "guestbook", Region: "syd", Address: addr(4)},
	{ID: "x1", App: "other", Region: "sin", Address: addr(5), Started: true},
	{ID: "v4", App: "legacy", Region: "ams", Address: netip.MustParseAddr("127.0.0.9"), Started: true},
}

// serve answers for a machine in a region.
func serve(t testing.TB, z *private.Zone, region string) (server netip.AddrPort) {
	t.Helper()
	p, l, err := private.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- z.Serve(ctx, region, p, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return netip.MustParseAddrPort(l.Addr().String())
}

// Go's own resolver is asked; says is the table's sentence.
func TestNames(t *testing.T) {
	z := &private.Zone{}
	z.Set(machines)
	resolver := private.Resolver(serve(t, z, "ams"))
	for _, tt := range []struct{ name, says, want string }{
		{"guestbook.internal", "addresses of all Machines in any region for the app, started", "fdaa::1 fdaa::2 fdaa::3"},
		{"global.guestbook.internal", "alias for <appname>.internal", "fdaa::1 fdaa::2 fdaa::3"},
		{"GuestBook.Internal", "case does not matter", "fdaa::1 fdaa::2 fdaa::3"},
		{"ams.guestbook.internal", "Machines in region for the app", "fdaa::2 fdaa::3"},
		{"o1.vm.guestbook.internal", "a specific Machine", "fdaa::1"},
		{"worker.process.guestbook.internal", "Machines in process group", "fdaa::3"},
		{"app.process.guestbook.internal", "the default group", "fdaa::1 fdaa::2"},
		{"top1.nearest.of.guestbook.internal", "top number closest Machines", "fdaa::2"},
		{"top2.nearest.of.guestbook.internal", "", "fdaa::2 fdaa::3"},
		{"top9.nearest.of.guestbook.internal", "", "fdaa::1 fdaa::2 fdaa::3"},
		{"primary.role.kv._metadata.guestbook.internal", "with matching metadata", "fdaa::1"},
		{"other.internal", "other apps in your organization", "fdaa::5"},
		{"legacy.internal", "an IPv4 address", "127.0.0.9"},
		{"syd.guestbook.internal", "stopped Machines are not included", "none"},
		{"s1.vm.guestbook.internal", "", "none"},
		{"nowhere.internal", "", "none"},
		{"iad.guestbook.internal", "", "none"},
		{"topx.nearest.of.guestbook.internal", "", "none"},
		{"top0.nearest.of.guestbook.internal", "", "none"},
		{"a.b.c.guestbook.internal", "", "none"},
		{"vms.guestbook.internal", "a TXT record only", "none"},
		{"example.com", "outside", "none"},
	} {
		ips, err := resolver.LookupNetIP(t.Context(), "ip", tt.name)
		var got []string
		for _, ip := range ips {
			got = append(got, ip.Unmap().String())
		}
		slices.Sort(got)
		text := strings.Join(got, " ")
		if err != nil {
			text = "none"
		}
		if text != tt.want {
			t.Errorf("%s (%s): got %s (%v), want %s", tt.name, tt.says, text, err, tt.want)
		}
	}
	for name, want := range map[string]string{
		"vms.guestbook.internal":         "a1 ams,a2 ams,o1 ord",
		"all.vms.guestbook.internal":     "a1 ams,a2 ams,o1 ord,s1 syd",
		"regions.guestbook.internal":     "ams,ord",
		"all.regions.guestbook.internal": "ams,ord,syd",
		"_apps.internal":                 "guestbook,legacy,other",
		"_peer.internal":                 "",
		"_instances.internal":            instances(machines[1], machines[2], machines[0], machines[5], machines[4]),
		"all._instances.internal":        instances(machines[1], machines[2], machines[0], machines[3], machines[5], machines[4]),
	} {
		texts, err := resolver.LookupTXT(t.Context(), name)
		if err != nil || strings.Join(texts, "|") != want {
			t.Errorf("%s: %q, %v, want %s", name, texts, err, want)
		}
	}
	var none *net.DNSError
	if _, err := resolver.LookupHost(t.Context(), "nowhere.internal"); !errors.As(err, &none) || !none.IsNotFound {
		t.Errorf("%v", err)
	}
	z.Set(machines[:1])
	if got, err := resolver.LookupHost(t.Context(), "guestbook.internal"); err != nil || fmt.Sprint(got) != "[fdaa::1]" {
		t.Errorf("after Set: %v, %v", got, err)
	}
}

// instances is what _instances.internal says of machines.
func instances(all ...private.Machine) string {
	var texts []string
	for _, m := range all {
		texts = append(texts, fmt.Sprintf("instance=%s,app=%s,ip=%v,region=%s", m.ID, m.App, m.Address, m.Region))
	}
	return strings.Join(texts, ";")
}

// What is nearest depends on who asks.
func TestNearestOfWhom(t *testing.T) {
	z := &private.Zone{}
	z.Set(machines)
	for region, want := range map[string]string{"ord": "[fdaa::1]", "lhr": "[fdaa::2]", "iad": "[fdaa::1]"} {
		got, err := private.Resolver(serve(t, z, region)).LookupHost(t.Context(), "top1.nearest.of.guestbook.internal")
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("from %s: %v, %v, want %s", region, got, err, want)
		}
	}
}

// An answer too large for UDP comes by TCP, whole.
func TestLargeAnswer(t *testing.T) {
	z := &private.Zone{}
	var all []private.Machine
	for i := range 300 {
		all = append(all, private.Machine{ID: fmt.Sprintf("m%013d", i), App: "big", Region: "ams", Address: addr(i), Started: true})
	}
	z.Set(all)
	resolver := private.Resolver(serve(t, z, "ams"))
	if ips, err := resolver.LookupHost(t.Context(), "big.internal"); err != nil || len(ips) != 300 {
		t.Errorf("%d addresses, %v", len(ips), err)
	}
	texts, err := resolver.LookupTXT(t.Context(), "vms.big.internal")
	if err != nil || len(texts) != 1 || strings.Count(texts[0], ",") != 299 {
		t.Errorf("%d texts, %v", len(texts), err)
	}
	for i := range 3000 { // more than a message has room for
		all = append(all, private.Machine{ID: fmt.Sprintf("n%013d", i), App: "big", Region: "ams", Address: addr(1000 + i), Started: true})
	}
	z.Set(all)
	if ips, err := resolver.LookupHost(t.Context(), "big.internal"); err != nil || len(ips) < 1000 {
		t.Errorf("%d addresses of 3300, %v", len(ips), err)
	}
	if texts, err := resolver.LookupTXT(t.Context(), "_instances.internal"); err != nil || len(texts) != 1 || len(texts[0]) != 32<<10 {
		t.Errorf("%d texts, %v", len(texts), err)
	}
}

// What is no query gets no answer, or an error, and the server goes on.
func TestBadMessages(t *testing.T) {
	z := &private.Zone{}
	z.Set(machines)
	server := serve(t, z, "ams")
	c, err := net.Dial("tcp", server.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, tt := range map[string]struct {
		msg   string
		rcode byte
	}{
		"two questions": {"\x00\x01\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00", 1},
		"cut off":       {"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09guest", 1},
		"a pointer":     {"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01", 1},
		"a label of 64": {"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x40" + strings.Repeat("a", 64) + "\x08internal\x00\x00\x1c\x00\x01", 1},
		"a name of 256": {"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x3faaaaaaaaabbbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg", 4) + "\x00\x00\x1c\x00\x01", 1},
		"an update":     {"\x00\x01\x28\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01", 4},
		"the root":      {"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01", 5},
		"internal":      {"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x08internal\x00\x00\x01\x00\x01", 5},
		"chaos":         {"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x08internal\x00\x00\x10\x00\x03", 5},
	} {
		msg := append(binary.BigEndian.AppendUint16(nil, uint16(len(tt.msg))), tt.msg...)
		if _, err := c.Write(msg); err != nil {
			t.Fatal(name, err)
		}
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			t.Fatal(name, err)
		}
		out := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, out); err != nil || out[3]&15 != tt.rcode || out[1] != 1 {
			t.Errorf("%s: %x, %v, want rcode %d", name, out, err, tt.rcode)
		}
	}
}

// When ctx ends, so does all that was started.
func TestServeEnds(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("", func(t *testing.T) {
		z := &private.Zone{}
		server := serve(t, z, "ams")
		c, err := net.Dial("tcp", server.String()) // and says nothing
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	})
	testkit.Poll(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestHosts(t *testing.T) {
	z := &private.Zone{}
	z.Set(append(slices.Clone(machines[:4]), private.Machine{ID: "n1", App: "guestbook", Region: "nrt", Started: true}))
	got := z.Hosts(machines[1])
	want := `127.0.0.1 localhost
::1 localhost
fdaa::2 fly-local-6pn
fdaa::1 guestbook.internal global.guestbook.internal ord.guestbook.internal o1.vm.guestbook.internal app.process.guestbook.internal top3.nearest.of.guestbook.internal
fdaa::2 guestbook.internal global.guestbook.internal ams.guestbook.internal a1.vm.guestbook.internal app.process.guestbook.internal top1.nearest.of.guestbook.internal top2.nearest.of.guestbook.internal top3.nearest.of.guestbook.internal
fdaa::3 guestbook.internal global.guestbook.internal ams.guestbook.internal a2.vm.guestbook.internal worker.process.guestbook.internal top2.nearest.of.guestbook.internal top3.nearest.of.guestbook.internal
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := z.Hosts(private.Machine{Region: "ams"}); strings.Contains(got, "fly-local-6pn") || strings.Contains(got, "invalid") {
		t.Errorf("without an address:\n%s", got)
	}
}

// What Fly sets itself goes before secrets, and these before [env].
func TestEnviron(t *testing.T) {
	c := &flyconf.Config{App: "guestbook", PrimaryRegion: "ord", Env: map[string]string{"A": "env", "B": "env", "PRIMARY_REGION": "ams"}}
	got := private.Environ(c, private.Boot{Machine: machines[1], Image: "registry/x:1", MemoryMB: 256, Secrets: map[string]string{"B": "secret"}})
	want := []string{
		"A=env", "B=secret", "FLY_ALLOC_ID=a1", "FLY_APP_NAME=guestbook", "FLY_IMAGE_REF=registry/x:1", "FLY_MACHINE_ID=a1",
		"FLY_PRIVATE_IP=fdaa::2", "FLY_PROCESS_GROUP=app", "FLY_REGION=ams", "FLY_VM_MEMORY_MB=256", "PRIMARY_REGION=ord",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func ExampleZone() {
	z := &private.Zone{}
	z.Set([]private.Machine{{ID: "1", App: "guestbook", Region: "ams", Address: netip.MustParseAddr("127.0.0.2"), Started: true}})
	p, l, err := private.Listen("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- z.Serve(ctx, "ams", p, l) }()
	resolver := private.Resolver(netip.MustParseAddrPort(l.Addr().String()))
	fmt.Println(resolver.LookupHost(ctx, "ams.guestbook.internal"))
	stop()
	fmt.Println(<-done)
	// Output:
	// [127.0.0.2] <nil>
	// <nil>
}
