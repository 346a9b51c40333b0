package main

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi/fakefly"
)

// TestVolumesScripts runs flysql volumes against a fake of Fly, as a user runs it.
func TestVolumesScripts(t *testing.T) {
	runRemote(t, "testdata/volumes", volumeCommands())
}

// volumeCommands are, beside remoteCommands:
//
//	volume NAME REGION GB [ID]  adds a volume that no machine has
//	ids                         sets $V0, $V1 and so on to the volumes' ids
//	are REGION=N ...            so many volumes, and nothing else, are there
//	capacity REGION N           takes so many volumes more
//	eventual N                  what is new is missing in so many lists
//	break CALL KIND [SKIP]      one call goes wrong: see breaks
//	heal                        nothing goes wrong any more
func volumeCommands() map[string]func(*testscript.TestScript, bool, []string) {
	of := func(ts *testscript.TestScript) *remote { return ts.Value(remoteKey{}).(*remoteHolder).remote }
	number := func(ts *testscript.TestScript, s string) int {
		n, err := strconv.Atoi(s)
		ts.Check(err)
		return n
	}
	return map[string]func(*testscript.TestScript, bool, []string){
		"app": func(ts *testscript.TestScript, _ bool, args []string) { of(ts).AddApp(args[0], "personal") },
		"volume": func(ts *testscript.TestScript, _ bool, args []string) {
			v := fly.Volume{Name: args[0], Region: args[1], SizeGb: number(ts, args[2]), SnapshotRetention: 14, AutoBackupEnabled: true}
			if len(args) > 3 {
				v.ID = args[3]
			}
			of(ts).AddVolume("shop", v)
		},
		"ids": func(ts *testscript.TestScript, _ bool, _ []string) {
			for i, v := range of(ts).AppVolumes("shop") {
				ts.Setenv(fmt.Sprintf("V%d", i), v.ID)
			}
		},
		"are": func(ts *testscript.TestScript, _ bool, args []string) {
			if got := volumesByRegion(of(ts).Fake); got != strings.Join(args, " ") {
				ts.Fatalf("volumes are %s, want %s", got, strings.Join(args, " "))
			}
		},
		"capacity": func(ts *testscript.TestScript, _ bool, args []string) {
			of(ts).SetCapacity(args[0], number(ts, args[1]))
		},
		"eventual": func(ts *testscript.TestScript, _ bool, args []string) { of(ts).EventualListing(number(ts, args[0])) },
		"heal":     func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).Heal() },
		"break": func(ts *testscript.TestScript, _ bool, args []string) {
			fault := breaks(of(ts))[args[1]]
			if len(args) > 2 {
				fault = fault.Skip(number(ts, args[2]))
			}
			of(ts).Fail(args[0], fault)
		},
	}
}

// breaks are faults by the names that scripts have for them.
func breaks(r *remote) map[string]fakefly.Fault {
	return map[string]fakefly.Fault{
		"502-after":  fakefly.BadGatewayAfterSuccess,
		"drop-after": fakefly.DropAfterSuccess,
		"down":       fakefly.Unavailable.Always(),
		"attach-cache": fakefly.After(func() {
			for _, v := range r.AppVolumes("shop") {
				if v.Name == "cache" {
					r.AddMachine("shop", shopMachine(v))
				}
			}
		}),
	}
}

// volumesByRegion counts the volumes of shop: ams=1 syd=2.
func volumesByRegion(fake *fakefly.Fake) string {
	n := map[string]int{}
	for _, v := range fake.AppVolumes("shop") {
		n[v.Region]++
	}
	var text []string
	for _, region := range slices.Sorted(maps.Keys(n)) {
		text = append(text, fmt.Sprintf("%s=%d", region, n[region]))
	}
	return strings.Join(text, " ")
}

// docs/volumes.md has every flag, and every key of the JSON.
func TestVolumesDocs(t *testing.T) {
	documented(t, "../../docs/volumes.md", new(cli).volumesCommand(), volumesJSON{}, plannedVolumeJSON{}, volumeSettingJSON{}, plannedMachineJSON{}, autoExtendJSON{}, volumesCostJSON{}, volumesResultJSON{}, volumesDeleteJSON{})
}

// documented holds a document against the flags of a verb's commands and the keys of their
// JSON.
func documented(t *testing.T, file string, verb *cobra.Command, values ...any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range append(verb.Commands(), verb) {
		for _, flag := range regexp.MustCompile(`(?m)^ +(?:-., )?(--[a-z-]+)`).FindAllStringSubmatch(cmd.Flags().FlagUsages(), -1) {
			if !strings.Contains(string(data), "`"+flag[1]) {
				t.Errorf("%s: %s is not told of", cmd.Name(), flag[1])
			}
		}
	}
	for _, v := range values {
		for i := range reflect.TypeOf(v).NumField() {
			key, _, _ := strings.Cut(reflect.TypeOf(v).Field(i).Tag.Get("json"), ",")
			if key == "" {
				continue // embedded
			}
			if !strings.Contains(string(data), `"`+key+`"`) && !strings.Contains(string(data), "`"+key+"`") {
				t.Errorf("JSON: %s is not told of", key)
			}
		}
	}
}
