package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/load"
	"github.com/flysql/flysql/internal/scaffold"
)

// loadFlags are the flags of flysql load.
type loadFlags struct {
	rate, writes, expect string
	length               time.Duration
	reads, write         []string
	body, contentType    string
	header               []string
	regions              []string
	visitors, most       int
	timeout, warmUp      time.Duration
	seed                 uint64
	compare              string
	rounds               int
	html, out            string
	json, yes            bool
}

func (c *cli) loadCommand() *cobra.Command {
	f := &loadFlags{}
	cmd := &cobra.Command{
		Use:   "load URL",
		Short: "Send an app requests at a rate, and measure how long they take",
		Long: `Sends GETs, and a share of writes, at a rate that does not wait for the answers, and tells
how long they took: by region, and by the way that they took among the app's machines
(local, waited, replayed, forwarded) where flysql dev or package replay is there.

--compare measures a second target in turn with the first, and tells their ratio from
noise. Ctrl-C ends it early; what was measured until then is told all the same.

In paths and bodies of requests {{n}} is the request's number, {{visitor}} the visitor's,
{{region}} the region, {{run}} a word for this run, and {{random}} one for the request.`,
		Example: "  flysql load http://localhost:8080 --rate 200 --for 30s --writes 10% --write 'POST /messages text=hello+{{run}}+{{n}}' --regions ams,ord,syd\n" +
			"  flysql load https://shop-pg.fly.dev --compare https://shop-sqlite.fly.dev --read /products --html report.html",
		RunE: func(cmd *cobra.Command, args []string) error {
			if dev := c.getenv("FLYSQL_DEV_URL"); len(args) == 0 && dev != "" {
				args = []string{dev} // under flysql dev exec
			}
			if len(args) != 1 {
				return usagef("which app? give one URL: %s", cmd.UseLine())
			}
			return c.load(cmd.Context(), f, args[0])
		},
	}
	f.register(cmd)
	return cmd
}

func (f *loadFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.rate, "rate", "100", "requests a second")
	flags.DurationVar(&f.length, "for", 30*time.Second, "how long")
	flags.StringVar(&f.writes, "writes", "0%", "share of writes among the requests")
	flags.StringArrayVar(&f.reads, "read", []string{"/"}, "path of a read; several are sent in equal shares")
	flags.StringArrayVar(&f.write, "write", nil, "method, path and body of a write; several are sent in equal shares")
	flags.StringVar(&f.body, "body", "", "body of each --write that has none")
	flags.StringVar(&f.contentType, "content-type", "", "of the bodies (default: JSON, a form or text, as they look)")
	flags.StringArrayVar(&f.header, "header", nil, "header of every request, as 'Name: value'")
	flags.StringSliceVar(&f.regions, "regions", nil, "regions that the visitors are in, such as ams,ord,syd")
	flags.IntVar(&f.visitors, "visitors", 50, "how many, each with cookies of its own")
	flags.IntVar(&f.most, "max", 1000, "requests under way at a time, at most")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "for each request")
	flags.DurationVar(&f.warmUp, "warm-up", 2*time.Second, "the same before, which does not count")
	flags.Uint64Var(&f.seed, "seed", 1, "decides which request is whose, and when")
	flags.StringVar(&f.compare, "compare", "", "URL of a second target, measured in turn with the first")
	flags.IntVar(&f.rounds, "rounds", 6, "with --compare: into how many rounds --for is cut")
	flags.StringVar(&f.expect, "expect", "", "share that must succeed, such as 99.9%, for the exit code 0")
	flags.StringVar(&f.html, "html", "", "write a page with plots to this file")
	flags.StringVar(&f.out, "out", "", "write each request's result to this file, as vegeta reads it")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
	flags.BoolVar(&f.yes, "yes", false, "write to a host that is not this machine without being asked")
}

func (c *cli) load(ctx context.Context, f *loadFlags, at string) error {
	o, expect, err := f.options(at)
	if err != nil {
		return &usageError{err}
	}
	targets := []load.Options{o}
	if f.compare != "" {
		second := o
		second.URL = f.compare
		targets = append(targets, second)
	}
	for _, t := range targets {
		if err := t.Validate(); err != nil {
			return &usageError{err}
		}
	}
	if f.compare != "" {
		if err := o.CheckRounds(f.rounds); err != nil {
			return &usageError{err}
		}
	}
	if f.compare != "" && f.out != "" {
		return usagef("--out is for one target: there are two with --compare")
	}
	if err := errors.Join(canBeWritten(f.html), canBeWritten(f.out)); err != nil {
		return err
	}
	if err := c.confirmLoad(ctx, f, targets); err != nil {
		return err
	}
	if f.compare != "" {
		return c.loadTwo(ctx, f, targets, expect)
	}
	return c.loadOne(ctx, f, o, expect)
}

// options reads the flags. expect is 0 where there is no such flag.
func (f *loadFlags) options(at string) (o load.Options, expect float64, err error) {
	var errs []error
	of := func(flag string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
		}
	}
	o = load.Options{URL: at, For: f.length, Visitors: f.visitors, Max: f.most, Timeout: f.timeout, WarmUp: f.warmUp, Seed: f.seed, Run: strings.ToLower(rand.Text()[:8])}
	o.Regions = scaffold.ParseRegions(f.regions)
	o.Rate, err = load.ParseRate(f.rate)
	of("rate", err)
	o.Writes, err = load.ParseShare(f.writes)
	of("writes", err)
	if f.expect != "" {
		expect, err = load.ParseShare(f.expect)
		of("expect", err)
	}
	for _, text := range f.reads {
		r, err := load.ParseRead(text)
		of(fmt.Sprintf("read %q", text), err)
		o.Reads = append(o.Reads, r)
	}
	for _, text := range f.write {
		r, err := load.ParseWrite(text, f.body, f.contentType)
		of(fmt.Sprintf("write %q", shorten(text, 60)), err)
		o.Write = append(o.Write, r)
	}
	o.Header, err = load.ParseHeaders(f.header)
	of("header", err)
	for _, n := range []struct {
		flag string
		zero bool
	}{{"visitors", f.visitors == 0}, {"max", f.most == 0}, {"timeout", f.timeout == 0}} {
		if n.zero {
			of(n.flag, errors.New("0 is none"))
		}
	}
	return o, expect, errors.Join(errs...)
}

// confirmLoad asks before rows are written into an app that is not this machine's.
func (c *cli) confirmLoad(ctx context.Context, f *loadFlags, targets []load.Options) error {
	var hosts []string
	for _, t := range targets {
		if at, err := url.Parse(t.URL); err == nil && !load.Local(at) {
			hosts = append(hosts, at.Hostname())
		}
	}
	if len(hosts) == 0 || targets[0].Writes == 0 || f.yes {
		return nil
	}
	what := fmt.Sprintf("some %.0f requests that write go to %s", targets[0].Rate*(f.length+f.warmUp).Seconds()*targets[0].Writes, strings.Join(hosts, " and "))
	ask, err := c.newPrompter()
	if err != nil {
		return err
	}
	if ask == nil {
		return usagef("%s: give --yes if its rows may be written", what)
	}
	ask.undone = "nothing was sent"
	err = ask.confirm(ctx, what+". Go on?", "no")
	return errors.Join(err, ask.close())
}

func (c *cli) loadOne(ctx context.Context, f *loadFlags, o load.Options, expect float64) error {
	p := c.newLoadProgress()
	result, ended := load.Run(ctx, o, p.tell)
	p.end()
	if result == nil {
		return ended
	}
	report := result.Report()
	var err error
	if f.json {
		err = encodeJSON(c.stdout, report)
	} else {
		err = c.printLoad(report)
	}
	return errors.Join(ended, err, writeMade(f.html, report.WriteHTML), writeMade(f.out, result.WriteRaw), orElse(ended, report.Expect(expect)))
}

func (c *cli) loadTwo(ctx context.Context, f *loadFlags, targets []load.Options, expect float64) error {
	p := c.newLoadProgress()
	both, ended := load.Compare(ctx, targets[0], targets[1], f.rounds, p.tell)
	p.end()
	if both == nil {
		return ended
	}
	report := both.Report()
	var err error
	if f.json {
		err = encodeJSON(c.stdout, report)
	} else {
		err = c.printComparison(report)
	}
	return errors.Join(ended, err, writeMade(f.html, report.WriteHTML), orElse(ended, report.First.Expect(expect)), orElse(ended, report.Second.Expect(expect)))
}

// orElse is what was found wrong, unless it was ended before.
func orElse(ended, err error) error {
	if ended != nil {
		return nil
	}
	return err
}

// canBeWritten tells beforehand what would be a pity to hear afterwards.
func canBeWritten(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("write %s: it is no regular file", path)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return fmt.Errorf("write %s: there is no directory %s", path, filepath.Dir(path))
	}
	return nil
}

// writeMade writes what a function makes to a file, whole or not at all; to none where
// there is no path.
func writeMade(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	return writeWholeBy(path, write)
}
