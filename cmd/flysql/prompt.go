package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/huh"
	"github.com/muesli/cancelreader"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/scaffold"
)

// prompter asks on a terminal.
type prompter struct {
	in, out *os.File
	// plain asks line by line, without moving the cursor: for screen readers
	// (ACCESSIBLE) and terminals that can do no more (TERM=dumb).
	plain bool
	theme *huh.Theme
}

// newPrompter returns nil where there is no terminal to ask on. Questions go to
// stderr, so that stdout stays data.
func (c *cli) newPrompter() *prompter {
	in, out := terminal(c.stdin), terminal(c.stderr)
	if in == nil || out == nil {
		return nil
	}
	p := &prompter{in: in, out: out, plain: c.getenv("TERM") == "dumb" || c.getenv("ACCESSIBLE") != "", theme: huh.ThemeCharm()}
	if c.getenv("NO_COLOR") != "" {
		p.theme = huh.ThemeBase()
	}
	return p
}

var errDeclined = errors.New("not confirmed; " + nothingWritten)

// choose asks for one of the values of a flag.
func (p *prompter) choose(ctx context.Context, choice *scaffold.ChoiceError) (string, error) {
	picked := choice.Choices[0]
	field := huh.NewSelect[string]().
		Title("Several " + choice.What + " (" + choice.Flag + ")").
		Options(huh.NewOptions(choice.Choices...)...).
		Value(&picked)
	return picked, p.ask(ctx, field)
}

// answers asks for what the flags did not give.
func (p *prompter) answers(ctx context.Context, a *scaffold.Answers, given func(flag string) bool) error {
	size := strconv.Itoa(a.SizeGB)
	var fields []huh.Field
	if !given("app") {
		fields = append(fields, p.input("App name", "unique on Fly; the app is at NAME.fly.dev", &a.App, flyconf.CheckAppName))
	}
	if !given("region") {
		fields = append(fields, p.input("Primary region", "nearest to your users; fly platform regions lists them", &a.Region, flyconf.CheckRegion))
	}
	if !given("size") {
		fields = append(fields, p.input("Volume size in GB", "it grows by itself, and cannot shrink", &size, func(s string) error {
			n, err := strconv.Atoi(strings.TrimSpace(s))
			if err != nil {
				return fmt.Errorf("%q is not a number", s)
			}
			return scaffold.CheckSizeGB(n)
		}))
	}
	if len(fields) == 0 {
		return nil
	}
	if err := p.ask(ctx, fields...); err != nil {
		return err
	}
	n, err := strconv.Atoi(strings.TrimSpace(size))
	a.SizeGB = n
	return err
}

// input is a line of text with a default.
func (p *prompter) input(title, description string, value *string, check func(string) error) huh.Field {
	if p.plain {
		// There, an empty line stands for the default, and only the title is shown.
		fallback := *value
		title = fmt.Sprintf("%s [%s]:", title, fallback)
		full := check
		check = func(s string) error {
			if strings.TrimSpace(s) == "" {
				return nil
			}
			return full(strings.TrimSpace(s))
		}
	}
	return huh.NewInput().Title(title).Description(description).Value(value).Validate(check)
}

// confirm asks whether to write.
func (p *prompter) confirm(ctx context.Context) error {
	yes := true
	err := p.ask(ctx, huh.NewConfirm().Title("Write these files?").Value(&yes))
	if err == nil && !yes {
		return errDeclined
	}
	return err
}

// ask runs the fields as one form. Whatever ends it before its last answer is an
// error: Ctrl-C, a signal, the end of the input.
func (p *prompter) ask(ctx context.Context, fields ...huh.Field) error {
	input, err := newInput(p.in)
	if err != nil {
		return fmt.Errorf("read the terminal: %w", err)
	}
	defer input.Close() // the file stays open
	stop := context.AfterFunc(ctx, func() { input.Cancel() })
	defer stop()

	form := huh.NewForm(huh.NewGroup(fields...)).
		WithTheme(p.theme).
		WithShowHelp(true)
	if p.plain {
		form = form.WithAccessible(true).WithInput(input).WithOutput(p.out)
	} else {
		// Signals end ctx, and ctx the form; its own handler would take a
		// SIGTERM for an orderly end.
		form = form.WithProgramOptions(tea.WithoutSignalHandler()).WithInput(p.in).WithOutput(p.out)
	}
	err = form.RunWithContext(ctx)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w; %s", context.Cause(ctx), nothingWritten)
	case errors.Is(err, huh.ErrUserAborted):
		return fmt.Errorf("%w; %s", errInterrupted, nothingWritten)
	case err != nil:
		return fmt.Errorf("ask on the terminal: %w", err)
	case input.ended:
		return errors.New("the input ended before the last question was answered; " + nothingWritten)
	case !p.plain && form.State != huh.StateCompleted:
		return fmt.Errorf("%w; %s", errInterrupted, nothingWritten)
	}
	return nil
}

// lineInput is a terminal whose reads can be cancelled. The accessible form takes
// a failed read for an empty answer and goes on to the next question, so the
// first failure is remembered, and is that of all reads after it: a terminal could
// be read again after Ctrl-D.
type lineInput struct {
	cancelreader.CancelReader
	ended bool
}

func newInput(f *os.File) (*lineInput, error) {
	r, err := cancelreader.NewReader(f)
	return &lineInput{CancelReader: r}, err
}

func (l *lineInput) Read(b []byte) (int, error) {
	if l.ended {
		return 0, io.EOF
	}
	n, err := l.CancelReader.Read(b)
	if err != nil {
		l.ended = true
		return n, io.EOF
	}
	return n, nil
}
