package edge

import (
	"fmt"
	"strings"
	"testing"
)

// placed is machines as "ID REGION LOAD [ill|stopped|suspended|away|APP]".
func placed(t *testing.T, lines string) []*machine {
	t.Helper()
	var all []*machine
	for line := range strings.SplitSeq(lines, ",") {
		m := &machine{}
		var is string
		if n, _ := fmt.Sscan(line, &m.ID, &m.Region, &m.load, &is); n < 3 {
			t.Fatalf("%q is no machine", line)
		}
		switch is {
		case "":
		case "ill":
			m.checks = []*check{{}}
		case "stopped":
			m.State = Stopped
		case "suspended":
			m.State = Suspended
		case "away":
			m.State = Away
		default:
			m.App = is
		}
		all = append(all, m)
	}
	return all
}

// Which machine a request goes to, with soft_limit 2 and hard_limit 4; says is the
// sentence of Fly's that it follows.
func TestDecide(t *testing.T) {
	for _, tt := range []struct {
		name, says     string
		from, machines string
		wish           wish
		want           string
	}{
		{"the nearest", "send traffic to the least loaded, closest Machine", "lhr", "o1 ord 0,a1 ams 0,s1 syd 0", wish{}, "use a1"},
		{"from the other side", "closest", "nrt", "o1 ord 0,a1 ams 0,s1 syd 0", wish{}, "use s1"},
		{"its own region first", "closest", "ams", "c1 cdg 0,a1 ams 0", wish{}, "use a1"},
		{"alike", "if multiple Machines have identical load and closeness, randomly choose one", "ams", "a1 ams 0,a2 ams 1,a3 ams 0", wish{}, "use a1|a2|a3"},
		{"at soft_limit", "traffic will only be sent to this Machine if all other Machines are also above their soft_limit", "ams", "a1 ams 2,a2 ams 1,a3 ams 3", wish{}, "use a2"},
		{"all at soft_limit", "soft limits do not cause the proxy to shift traffic to other regions", "ams", "a1 ams 2,a2 ams 3,o1 ord 0", wish{}, "use a1|a2"},
		{"one at hard_limit", "above hard_limit no new traffic will be sent to the Machine", "ams", "a1 ams 4,a2 ams 3,o1 ord 0", wish{}, "use a2"},
		{"all at hard_limit", "cross-region routing only happens when all Machines in the local region are unhealthy or at their hard_limit", "ams", "a1 ams 4,a2 ams 5,o1 ord 0", wish{}, "use o1"},
		{"or unhealthy", "unhealthy", "ams", "a1 ams 4,a2 ams 0 ill,o1 ord 0", wish{}, "use o1"},
		{"everywhere at hard_limit", "will get queued by Fly Proxy until a Machine is below its hard_limit", "ams", "a1 ams 4,o1 ord 4", wish{}, "wait"},
		{"the only healthy one at hard_limit", "queued", "ams", "a1 ams 4,o1 ord 0 ill", wish{}, "wait"},
		{"all unhealthy", "no known healthy instances found for route", "ams", "a1 ams 0 ill,o1 ord 0 ill", wish{}, "nobody"},
		{"none", "", "ams", "a1 ams 0 away", wish{}, "nobody"},
		{"another app's", "", "ams", "a1 ams 0 other,o1 ord 0", wish{}, "use o1"},
		{"that app's", "app", "ams", "a1 ams 0,o1 ord 0 other", wish{app: "other"}, "use o1"},
		{"a region that is nowhere", "", "ams", "x1 xyz 0,s1 syd 0", wish{}, "use s1"},

		{"stopped", "starts a stopped or suspended Machine in the nearest region", "ams", "a1 ams 0 stopped,o1 ord 0", wish{}, "start a1"},
		{"not needed", "if all the running Machines are above their soft_limit", "ams", "a1 ams 0 stopped,a2 ams 1", wish{}, "use a2"},
		{"needed", "no excess capacity, per region", "ams", "a1 ams 0 suspended,a2 ams 2", wish{}, "start a1"},
		{"needed, in another region", "if all the running Machines are above their soft_limit", "ams", "a1 ams 2,o1 ord 0 stopped", wish{}, "start o1"},
		{"some other runs", "if all the running Machines are above their soft_limit", "ams", "a1 ams 2,o1 ord 0 stopped,s1 syd 0", wish{}, "use a1"},
		{"one that is wished for", "instance", "ams", "a1 ams 0,o1 ord 0 stopped", wish{instance: "o1"}, "start o1"},

		{"regions in order", "in order of preference", "ams", "a1 ams 0,o1 ord 0,i1 iad 0", wish{regions: []string{"iad", "ord"}}, "use i1"},
		{"the second", "falls back to the next region in the list", "ams", "a1 ams 0,o1 ord 0,i1 iad 0 ill", wish{regions: []string{"iad", "ord"}}, "use o1"},
		{"the nearest of a group", "us", "lhr", "o1 ord 0,i1 iad 0,s1 sjc 0", wish{regions: []string{"us"}}, "use i1"},
		{"a region before its group", "", "lhr", "o1 ord 0,i1 iad 0,s1 sjc 0", wish{regions: []string{"sjc", "us"}}, "use s1"},
		{"not the one", "excludes responding Machine", "ams", "a1 ams 0,o1 ord 0", wish{not: "a1"}, "use o1"},
		{"forced to one that is ill", "will attempt to reach the Machine multiple times if the Machine is unhealthy", "ams", "a1 ams 0,o1 ord 0 ill", wish{instance: "o1", forced: true}, "use o1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := map[string]bool{}
			for n := range 3 {
				e := &Edge{opt: Options{Service: Service{SoftLimit: 2, HardLimit: 4, AutoStart: true}, Power: noPower{}, pick: func(of int) int { return n % of }}}
				e.machines = placed(t, tt.machines)
				d := e.decide(e.candidates(&tt.wish, tt.from, nil), tt.wish.forced)
				switch {
				case d.use != nil:
					got["use "+d.use.ID] = true
				case d.start != nil:
					got["start "+d.start.ID] = true
				case d.full:
					got["wait"] = true
				default:
					got["nobody"] = true
				}
			}
			do, ids, _ := strings.Cut(tt.want, " ")
			want := map[string]bool{}
			for id := range strings.SplitSeq(ids, "|") {
				want[strings.TrimSpace(do+" "+id)] = true
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: got %v, want %v", tt.says, got, want)
			}
		})
	}
}

// Who is preferred gets the request if it can take one; else another does, which is told.
func TestTakePreferred(t *testing.T) {
	for _, tt := range []struct {
		says, machines string
		wish           wish
		want           string
	}{
		{"to route to this Machine", "a1 ams 0,o1 ord 0", wish{prefer: "o1"}, "o1"},
		{"over its soft_limit", "a1 ams 0,o1 ord 3", wish{prefer: "o1"}, "o1"},
		{"found but at its configured hard_limit", "a1 ams 0,o1 ord 4", wish{prefer: "o1"}, "a1 missed"},
		{"unable to accept requests", "a1 ams 0,o1 ord 0 ill", wish{prefer: "o1"}, "a1 missed"},
		{"", "a1 ams 0,o1 ord 0 stopped", wish{prefer: "o1"}, "a1 missed"},
		{"", "a1 ams 0,o1 ord 0 away", wish{prefer: "o1"}, "a1 missed"},
		{"the Machine may not be found", "a1 ams 0", wish{prefer: "o1"}, "a1 missed"},
		{"of another app", "a1 ams 0,x1 ord 0 other", wish{prefer: "x1"}, "a1 missed"},
		{"elsewhere", "a1 ams 0,o1 ord 0", wish{prefer: "a1", not: "a1"}, "o1 missed"},
		{"a Machine that matches the remaining fields", "a1 ams 0,s1 syd 0", wish{prefer: "o1", regions: []string{"syd"}}, "s1 missed"},
		{"which are not its own", "a1 ams 0,s1 syd 0", wish{prefer: "a1", regions: []string{"syd"}}, "a1"},
		{"unless a client forces them", "a1 ams 0,s1 syd 0", wish{prefer: "a1", regions: []string{"syd"}, within: true}, "s1 missed"},
	} {
		e := &Edge{opt: Options{Service: Service{SoftLimit: 2, HardLimit: 4, AutoStart: true}, Power: noPower{}, Patience: 1}}
		e.machines = placed(t, tt.machines)
		at, err := e.take(t.Context(), &tt.wish, "ams", nil)
		got := at.machine.ID
		if at.missed {
			got += " missed"
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: %s: %s, %v, want %s", tt.says, tt.machines, got, err, tt.want)
		}
	}
}

// "If auto_start_machines is false, the proxy only routes traffic to Machines that are
// already running."
func TestDecideWithoutAutoStart(t *testing.T) {
	e := &Edge{opt: Options{Service: Service{SoftLimit: 2}, Power: noPower{}}}
	e.machines = placed(t, "a1 ams 0 stopped")
	if d := e.decide(e.candidates(&wish{}, "ams", nil), false); d != (decision{}) {
		t.Errorf("got %+v, want none", d)
	}
}

// "If excess capacity is 1 or greater, then the proxy stops one Machine", in each region.
// soft_limit is 2, and one machine is to run in iad.
func TestExcess(t *testing.T) {
	for _, tt := range []struct{ says, machines, want string }{
		{"excess capacity = num of machines - (num machines over soft limit + 1)", "a1 ams 0,a2 ams 0,a3 ams 1", "[a2]"},
		{"2 - (1 + 1) is none", "a1 ams 3,a2 ams 0", "[]"},
		{"at the limit is not over it", "a1 ams 2,a2 ams 0", "[a2]"},
		{"if the Machine has no traffic, then the proxy stops the Machine", "a1 ams 0", "[a1]"},
		{"it has some", "a1 ams 1", "[]"},
		{"only one Machine per region, each time", "a1 ams 0,a2 ams 0,o1 ord 0,o2 ord 0", "[a2 o2]"},
		{"min_machines_running, in the primary region only", "i1 iad 0,o1 ord 0", "[o1]"},
		{"one more than those", "i1 iad 0,i2 iad 0", "[i2]"},
		{"what does not run", "a1 ams 0 stopped,a2 ams 1", "[]"},
		{"another app's", "x1 ams 0 other", "[]"},
	} {
		e := &Edge{opt: Options{Service: Service{SoftLimit: 2, MinRunning: 1, PrimaryRegion: "iad"}}}
		e.machines = placed(t, tt.machines)
		if got := fmt.Sprint(e.excess()); got != tt.want {
			t.Errorf("%s: %s: got %s, want %s", tt.says, tt.machines, got, tt.want)
		}
	}
}

// BenchmarkTake is the choice among twelve machines, for which all requests wait.
func BenchmarkTake(b *testing.B) {
	e, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	var machines []Machine
	for i, region := range strings.Fields("ord ams syd iad lhr gru sin nrt fra sjc jnb arn") {
		machines = append(machines, Machine{ID: fmt.Sprint(i), Region: region})
	}
	e.Set(machines)
	for b.Loop() {
		at, err := e.take(b.Context(), &wish{}, "cdg", nil)
		if err != nil {
			b.Fatal(err)
		}
		(&trip{edge: e, at: at}).letGo()
	}
}

// The order of machines is that of those there are, also after another Set.
func TestNearestAfterSet(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, tt := range []struct{ regions, from, want string }{
		{"ord ams syd", "lhr", "ams ord syd"},
		{"ord ams syd", "nrt", "syd ams ord"},
		{"syd iad", "lhr", "iad syd"},
		{"zzz yyy ord", "lhr", "ord yyy zzz"},
		{"", "lhr", ""},
	} {
		var machines []Machine
		for i, region := range strings.Fields(tt.regions) {
			machines = append(machines, Machine{ID: fmt.Sprint(i), Region: region})
		}
		e.Set(machines)
		var got []string
		e.mu.Lock()
		for _, m := range e.candidates(&wish{}, tt.from, nil) {
			got = append(got, m.Region)
		}
		e.mu.Unlock()
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s from %s: %v, want %s", tt.regions, tt.from, got, tt.want)
		}
	}
}
