package dev_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// A deploy gives every machine the new build; one that cannot be built changes nothing; one
// that does not run ends with the machine that it was given to first.
func TestDeploy(t *testing.T) {
	t.Parallel()
	o := shop(t)
	o.Command = nil
	s, r := start(t, o)
	gets(t, s, "syd", "one syd")

	main := filepath.Join(o.Dir, "main.go")
	writeFile(t, main, strings.Replace(shopMain, `"one"`, `"two"`, 1))
	if err := s.Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, region := range o.Regions {
		gets(t, s, region, "two "+region)
	}

	writeFile(t, main, strings.Replace(shopMain, `"one"`, "nothing", 1))
	err := s.Deploy(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the machines keep what they have: go build: exit status 1\n") || !strings.Contains(err.Error(), "./main.go:12:17: undefined: nothing") {
		t.Errorf("a build that fails: %v", err)
	}
	if !strings.Contains(r.lines(""), "./main.go:12:17: undefined: nothing") {
		t.Errorf("the build printed %q", r.lines(""))
	}
	gets(t, s, "syd", "two syd")

	writeFile(t, main, strings.Replace(shopMain, `os.Getenv("CRASH")`, `"ord ams syd"`, 1))
	err = s.Deploy(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the roll ends here, the others keep what they have: machine ord1: it ended before it served: exit status 3\n") || !strings.Contains(err.Error(), "the tables are gone") {
		t.Errorf("a build that does not run: %v", err)
	}
	gets(t, s, "syd", "two syd")
	gets(t, s, "ord", "two ams") // the nearest to it
	st := s.State()
	if st.Doing != "" || !st.Ready || !strings.Contains(machine(t, s, "ord1").Error, "exit status 3") {
		t.Errorf("%+v", st)
	}

	writeFile(t, main, strings.Replace(shopMain, `"one"`, `"three"`, 1))
	if err := s.Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	gets(t, s, "ord", "three ord")
	gets(t, s, "syd", "three syd")
	if builds, err := filepath.Glob(filepath.Join(o.Dir, ".flysql/dev/bin/*/shop")); err != nil || len(builds) != 1 {
		t.Errorf("builds that are kept: %v, %v", builds, err)
	}
	if got, want := r.actions(), "deploy, -deploy, deploy, -deploy, deploy, -deploy, deploy, -deploy"; got != want {
		t.Errorf("actions: %s", got)
	}
}

// Of two deploys at once the second is refused; the end of the session ends the first.
func TestDeployAtOnce(t *testing.T) {
	t.Parallel()
	o := shop(t)
	o.Regions = []string{"ord"}
	o.Env = []string{"STUBBORN=1"}
	s, _ := start(t, o)
	first := make(chan error, 1)
	go func() { first <- s.Deploy(t.Context()) }()
	testkit.Poll(t, "the roll", func() bool { return s.State().Doing == "rolling ord1" })
	if err := s.Deploy(t.Context()); err == nil || err.Error() != "a deploy is going on: wait until it has ended" {
		t.Errorf("the second: %v", err)
	}
	// The app takes no signal: the old one is there until it is killed.
	if err := s.Kill("ord9"); err == nil || !strings.Contains(err.Error(), `there is no machine "ord9": there are [ord1]`) {
		t.Errorf("%v", err)
	}
	begun := time.Now()
	closed, end := closing(t, s)
	end()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 18*time.Second { // kill_timeout is 20 s
		t.Errorf("a close that is to hurry took %v", took)
	}
	if err := <-first; err == nil {
		t.Error("the deploy came to its end without a machine")
	}
	if err := s.Deploy(t.Context()); err == nil || err.Error() != "the session is closed" {
		t.Errorf("after the end: %v", err)
	}
	if _, err := os.Stat(filepath.Join(o.Dir, ".flysql/dev/running")); err == nil {
		t.Error("it is marked as running")
	}
}
