package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/emulator/latency"
)

// devFlags are the flags of flysql dev and flysql dev exec.
type devFlags struct {
	config, latency, consul string
	command                 string // of exec: the app
	regions, env            []string
	machines, port          int
	watch, fresh, noLiteFS  bool
	headless, json, verbose bool
	wait                    time.Duration
	given                   func(string) bool
}

const (
	// devPort is where flysql dev listens, unless told otherwise.
	devPort = 8080
	// The most machines: each is three processes (flysql-entrypoint, LiteFS, the app) that
	// share this computer's cores, and more show nothing that these do not.
	devMostPerRegion = 8
	devMost          = 32
)

func (c *cli) devCommand() *cobra.Command {
	f := &devFlags{}
	cmd := &cobra.Command{
		Use:   "dev [flags] [-- COMMAND...]",
		Short: "Run the app here as Fly would, in several regions at once",
		Long: `Runs the app in this directory as it will run on Fly: it is built as the Dockerfile
says, and a machine in each region boots it with flysql-entrypoint, on LiteFS where there
is a litefs.yml. Before them is Fly's proxy, with fly-replay, checks and limits as
fly.toml has them, and the time that the way between regions takes. Each region has a URL
of its own, and each request is shown with its whole way. The page /_flysql shows the
machines on a map, and kills, stops, cuts off and slows down what one likes.

With a COMMAND after --, that is the app, and nothing is built.

LiteFS needs Linux, FUSE and root. Where one is missing, the app runs on one machine
without, and says why.

What the machines have is under .flysql/dev and stays; --fresh begins without. Ctrl-C
takes everything down in order, a second one at once.`,
		Example:                    "  flysql dev\n  flysql dev --regions ord,ams,syd --latency 50ms\n  flysql dev --watch\n  flysql dev -- ./bin/app --verbose\n  flysql dev --headless --json\n  flysql dev exec -- go test ./e2e/...",
		Args:                       devCommandOnly,
		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.given = cmd.Flags().Changed
			if err := f.check(); err != nil {
				return err
			}
			return c.dev(cmd.Context(), f, args)
		},
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.watch, "watch", false, "build again when files change, and give it to one machine after the other")
	flags.BoolVar(&f.headless, "headless", false, "no page")
	flags.BoolVar(&f.json, "json", false, "print what happens as JSON, an event a line")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print all that machines print, also LiteFS's and flysql-entrypoint's lines that say that all is well")
	flags.IntVar(&f.port, "port", devPort, "port to listen on, of loopback; 0 is any that is free")
	flags.BoolVar(&f.fresh, "fresh", false, "begin without what the machines had")
	cmd.AddCommand(c.devExecCommand())
	return cmd
}

// register adds what both have.
func (f *devFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.config, "config", "c", "", "where fly.toml is (default: fly.toml here)")
	flags.StringSliceVar(&f.regions, "regions", nil, "where machines are, such as ord,ams,syd (default: primary_region, and two far from it)")
	flags.IntVar(&f.machines, "machines", 1, fmt.Sprintf("machines in each region, at most %d", devMostPerRegion))
	flags.StringVar(&f.latency, "latency", "real", "the time between regions: real, none, or a round trip such as 50ms")
	flags.StringArrayVarP(&f.env, "env", "e", nil, "NAME=VALUE for every machine, as secrets are; NAME takes the value from here")
	flags.StringVar(&f.consul, "consul", "", "URL of a Consul to keep the lease in (default: a lease server of its own)")
	flags.DurationVar(&f.wait, "wait", 2*time.Minute, "how long a machine may take to start, migrate and pass its checks")
	flags.BoolVar(&f.noLiteFS, "no-litefs", false, "one machine, without LiteFS")
	must(cmd.MarkFlagFilename("config", "toml", "json", "yaml", "yml"))
	must(cmd.RegisterFlagCompletionFunc("regions", completeRegionList))
	must(cmd.RegisterFlagCompletionFunc("latency", cobra.FixedCompletions([]cobra.Completion{"real\tas far as the regions are apart", "none", "50ms\tthere and back, between any two", "200ms"}, cobra.ShellCompDirectiveNoFileComp)))
	for _, name := range []string{"machines", "env", "consul", "wait"} {
		must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
}

// completeRegionList completes the last region of a list.
func completeRegionList(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndex(typed, ",")+1]
	have := strings.Split(before, ",")
	var out []cobra.Completion
	for _, r := range regions() {
		if code, _, _ := strings.Cut(r, "\t"); !slices.Contains(have, code) {
			out = append(out, before+r)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// devCommandOnly takes arguments only after --, where the app's command is.
func devCommandOnly(cmd *cobra.Command, args []string) error {
	dash := cmd.ArgsLenAtDash()
	if dash < 0 {
		dash = len(args)
	}
	if dash > 0 {
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return usagef("unknown command %q; did you mean %s %s?", args[0], cmd.CommandPath(), near[0])
		}
		return usagef("unexpected argument %q: the app's command stands after --, as in %s -- %s", args[0], cmd.CommandPath(), shellCommand(args))
	}
	if len(args) > 0 && strings.TrimSpace(args[0]) == "" {
		return usagef("the command after -- is empty")
	}
	return nil
}

// check refuses what cannot be, before anything is read.
func (f *devFlags) check() error {
	if err := f.checkRegions(); err != nil {
		return err
	}
	_, latencyErr := latency.Parse(f.latency)
	switch {
	case f.machines < 1 || f.machines > devMostPerRegion:
		return usagef("--machines %d: from 1 to %d in each region, for all of them share this computer's cores", f.machines, devMostPerRegion)
	case len(f.regions)*f.machines > devMost:
		return usagef("%d regions with %d machines each are %d: at most %d, for all of them share this computer's cores", len(f.regions), f.machines, len(f.regions)*f.machines, devMost)
	case latencyErr != nil:
		return usagef("--%w", latencyErr)
	case f.port < 0 || f.port > 65535:
		return usagef("--port %d: from 1 to 65535, or 0 for any that is free", f.port)
	case f.wait <= 0:
		return usagef("--wait %v: a time such as 2m", f.wait)
	case f.noLiteFS && f.machines > 1:
		return usagef("--machines %d and --no-litefs cannot be given together: machines without LiteFS have a database each", f.machines)
	case f.noLiteFS && len(f.regions) > 1:
		return usagef("--regions and --no-litefs: without LiteFS there is one machine, in one region")
	case f.noLiteFS && f.consul != "":
		return usagef("--consul and --no-litefs cannot be given together: without LiteFS there is no lease")
	}
	if f.given("consul") {
		if u, err := url.Parse(f.consul); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return usagef("--consul: it is a URL such as http://127.0.0.1:8500")
		}
	}
	return nil
}

func (f *devFlags) checkRegions() error {
	given := f.regions
	f.regions = nil
	for _, region := range given {
		if region = strings.TrimSpace(region); region != "" {
			f.regions = append(f.regions, region)
		}
	}
	if f.given("regions") && len(f.regions) == 0 {
		return usagef("--regions is empty: give some, such as ord,ams,syd, or leave it out")
	}
	if err := dev.CheckRegions(f.regions); err != nil {
		return usagef("--regions: %w", err)
	}
	return nil
}

// options are for package dev.
func (f *devFlags) options(c *cli, command []string) (dev.Options, error) {
	o := dev.Options{
		Config: f.config, Fresh: f.fresh, Regions: f.regions, PerRegion: f.machines, Latency: f.latency,
		Port: f.port, Command: command, Consul: f.consul, Single: f.noLiteFS, BootWait: f.wait,
	}
	for _, kv := range f.env {
		name, _, ok := strings.Cut(kv, "=")
		if name == "" || strings.ContainsAny(kv, "\x00") {
			return o, usagef("--env: it is NAME=VALUE, or NAME for the value that it has here")
		}
		if !ok {
			if !slices.ContainsFunc(c.env, func(have string) bool { return strings.HasPrefix(have, name+"=") }) {
				return o, usagef("--env %s: it is not set here; give %s=VALUE", name, name)
			}
			kv = name + "=" + c.getenv(name)
		}
		o.Env = append(o.Env, kv)
	}
	return o, nil
}

// shellCommand is a command line as one would type it.
func shellCommand(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = shellArgument(a)
	}
	return strings.Join(quoted, " ")
}
