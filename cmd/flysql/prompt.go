package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/muesli/cancelreader"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/scaffold"
)

// prompter asks on a terminal, line by line. The terminal stays in its usual mode:
// it does the editing of a line, turns Ctrl-C into SIGINT, and needs no putting
// back however the program ends. It also suits screen readers as it is.
type prompter struct {
	input cancelreader.CancelReader
	lines *bufio.Reader // of input; one for all questions, for what was typed ahead
	out   io.Writer

	undone string // what it means that a question was not answered
}

// newPrompter returns nil where there is no terminal to ask on. Questions go to
// stderr, so that stdout stays data.
func (c *cli) newPrompter() (*prompter, error) {
	in, out := terminal(c.stdin), terminal(c.stderr)
	if in == nil || out == nil {
		return nil, nil
	}
	input, err := cancelreader.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("read the terminal: %w", err)
	}
	return &prompter{input: input, lines: bufio.NewReader(input), out: out, undone: nothingWritten}, nil
}

// close gives up the terminal, which stays open.
func (p *prompter) close() error { return p.input.Close() }

// choose asks for one of the values of a flag, by its number or as it stands.
func (p *prompter) choose(ctx context.Context, choice *scaffold.ChoiceError) (string, error) {
	p.say("Several %s (%s):\n", choice.What, choice.Flag)
	for i, value := range choice.Choices {
		p.say("  %d  %s\n", i+1, value)
	}
	picked := ""
	_, err := p.ask(ctx, "Which one?", "1", func(s string) error {
		if slices.Contains(choice.Choices, s) {
			picked = s
			return nil
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > len(choice.Choices) {
			return fmt.Errorf("%q is none of them: give a number from 1 to %d", s, len(choice.Choices))
		}
		picked = choice.Choices[n-1]
		return nil
	})
	return picked, err
}

// answers asks for what the flags did not give. What is in a already are the
// defaults.
func (p *prompter) answers(ctx context.Context, a *scaffold.Answers, given func(flag string) bool) error {
	size := strconv.Itoa(a.SizeGB)
	questions := []struct {
		flag, question string
		value          *string
		check          func(string) error
	}{
		{"app", "App name, unique on Fly; the app is at NAME.fly.dev", &a.App, flyconf.CheckAppName},
		{"region", "Primary region, nearest to your users; fly platform regions lists them", &a.Region, flyconf.CheckRegion},
		{"size", "Volume size in GB; it grows by itself, and cannot shrink", &size, checkSize},
	}
	for _, q := range questions {
		if given(q.flag) {
			continue
		}
		answer, err := p.ask(ctx, q.question, *q.value, q.check)
		if err != nil {
			return err
		}
		*q.value = answer
	}
	n, err := strconv.Atoi(size)
	a.SizeGB = n
	return err
}

// mode asks how the database is to be kept.
func (p *prompter) mode(ctx context.Context, replicas bool) (scaffold.Mode, error) {
	fallback := string(scaffold.Volume)
	if replicas {
		fallback = string(scaffold.LiteFS)
	}
	p.say("How is the database kept? (--mode)\n" +
		"  volume  on one machine, in one region: right for most apps\n" +
		"  litefs  copied to machines in several regions by LiteFS, which Fly does not support\n")
	answer, err := p.ask(ctx, "Which one?", fallback, func(s string) error {
		if s == "" {
			return errors.New("give volume or litefs")
		}
		return scaffold.CheckMode(scaffold.Mode(s))
	})
	return scaffold.Mode(answer), err
}

// regions asks where replicas are to run.
func (p *prompter) regions(ctx context.Context) ([]string, error) {
	const none = "none"
	answer, err := p.ask(ctx, "Regions of the replicas, such as ord,syd; they can be added later", none, func(s string) error {
		if s == none {
			return nil
		}
		for _, r := range scaffold.ParseRegions([]string{s}) {
			if err := flyconf.CheckRegion(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || answer == none {
		return nil, err
	}
	return scaffold.ParseRegions([]string{answer}), nil
}

func checkSize(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return fmt.Errorf("%q is not a number", s)
	}
	return scaffold.CheckSizeGB(n)
}

// confirm asks whether to go on; an empty line is the answer that is usual.
func (p *prompter) confirm(ctx context.Context, question, usual string) error {
	answer, err := p.ask(ctx, question, usual, func(s string) error {
		if !slices.Contains([]string{"y", "yes", "n", "no"}, strings.ToLower(s)) {
			return fmt.Errorf("%q is neither yes nor no", s)
		}
		return nil
	})
	if err == nil && strings.HasPrefix(strings.ToLower(answer), "n") {
		return errors.New("not confirmed; " + p.undone)
	}
	return err
}

// ask puts one question until its answer passes the check. An empty line stands
// for the default. Whatever ends it before that is an error: Ctrl-C and other
// signals, which end ctx, and the end of the input.
func (p *prompter) ask(ctx context.Context, question, fallback string, check func(string) error) (string, error) {
	stop := context.AfterFunc(ctx, func() { p.input.Cancel() })
	defer stop()
	for {
		p.say("%s [%s]: ", question, visible(fallback))
		line, err := p.lines.ReadString('\n')
		switch {
		case ctx.Err() != nil:
			p.say("\n")
			return "", fmt.Errorf("%w; %s", context.Cause(ctx), p.undone)
		case errors.Is(err, io.EOF):
			p.say("\n")
			return "", errors.New("the input ended before the last question was answered; " + p.undone)
		case err != nil:
			return "", fmt.Errorf("ask on the terminal: %w; %s", err, p.undone)
		}
		answer := strings.TrimSpace(line)
		if answer == "" {
			answer = fallback
		}
		if err := check(answer); err != nil {
			p.say("  %v\n", err)
			continue
		}
		return answer, nil
	}
}

// say writes to the terminal. A terminal that is gone shows by the read that
// follows.
func (p *prompter) say(format string, a ...any) { fmt.Fprintf(p.out, format, a...) }
