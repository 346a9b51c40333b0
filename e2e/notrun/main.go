// Command notrun says what a run of tests has left out. It reads what `go test -json`
// printed, from the files that are its arguments, and prints one line:
//
//	not run: 0
//	not run: 42 tests: 40 for want of FUSE (/dev/fuse), 2 for want of consul (make consul)
//
// It fails where a test was skipped without such a reason: see testkit.NotRun.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/testkit"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(files []string, stdout, stderr io.Writer) int {
	if len(files) == 0 {
		fmt.Fprintln(stderr, "usage: notrun FILE... (what go test -json printed)")
		return 2
	}
	var c count
	for _, file := range files {
		if err := c.file(file); err != nil {
			fmt.Fprintln(stderr, "notrun:", err)
			return 1
		}
	}
	fmt.Fprintln(stdout, c.line())
	for _, test := range c.unnamed {
		fmt.Fprintf(stderr, "notrun: %s was skipped without a reason that is counted: skip it by testkit.NotRun\n", test)
	}
	if len(c.unnamed) > 0 {
		return 1
	}
	return 0
}

// count is how many tests were not run, by what they were in want of.
type count struct {
	wants   map[string]int
	unnamed []string
}

// event is a line of go test -json: https://pkg.go.dev/cmd/test2json
type event struct{ Action, Package, Test, Output string }

func (c *count) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := c.read(f); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

func (c *count) read(r io.Reader) error {
	if c.wants == nil {
		c.wants = map[string]int{}
	}
	said := map[string]string{} // what a test has said that it wants
	d, ended := json.NewDecoder(bufio.NewReader(r)), 0
	for {
		var e event
		if err := d.Decode(&e); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		if e.Test == "" {
			if e.Action != "start" && e.Action != "output" {
				ended++
			}
			continue // a package without tests is skipped too
		}
		test := e.Package + " " + e.Test
		if _, want, ok := strings.Cut(e.Output, testkit.NotRunWords); e.Action == "output" && ok {
			said[test] = strings.TrimSpace(want)
		}
		if e.Action != "skip" {
			continue
		}
		if said[test] == "" {
			c.unnamed = append(c.unnamed, test)
			continue
		}
		c.wants[said[test]]++
	}
	if ended == 0 {
		return errors.New("no package has ended in it")
	}
	return nil
}

// line says it all, what is wanted most first.
func (c *count) line() string {
	sum := len(c.unnamed)
	var wants []string
	for want, n := range c.wants {
		sum += n
		wants = append(wants, want)
	}
	if sum == 0 {
		return "not run: 0"
	}
	slices.SortFunc(wants, func(a, b string) int {
		return cmp.Or(cmp.Compare(c.wants[b], c.wants[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, want := range wants {
		parts = append(parts, fmt.Sprintf("%d for want of %s", c.wants[want], want))
	}
	if n := len(c.unnamed); n > 0 {
		parts = append(parts, fmt.Sprintf("%d without a reason", n))
	}
	noun := "tests"
	if sum == 1 {
		noun = "test"
	}
	return fmt.Sprintf("not run: %d %s: %s", sum, noun, strings.Join(parts, ", "))
}
