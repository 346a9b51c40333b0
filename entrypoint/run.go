package entrypoint

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/flysql/flysql/internal/migrate"
)

// boot is one run through the steps. Each step reads what earlier ones found.
type boot struct {
	Config
	began   time.Time
	signals *signals
	path    string       // the database, absolute, links resolved
	dir     string       // the directory that holds it
	mount   string       // the mount point that is on
	state   state        // the .flysql directory beside it
	use     *lock        // held shared while the app lives, exclusively while migrating
	who     *account     // who the app runs as, where this process is not that itself
	node    *node        // nil without LiteFS
	stage   *stage       // nil but in the process that LiteFS mode starts for the database
	waited  map[int]bool // children that os/exec waits for, which nothing else may reap

	exists  bool           // the database is there and not empty
	set     *migrate.Set   // nil without a migrations directory
	pending migrate.Status // what set has to do
	snap    string         // file name of the snapshot taken before migrating; "" for none
	before  contentStamp   // of the database, when the snapshot was taken
	from    position       // where LiteFS's database stood before that
	kept    string         // where LiteFS mode's putBack has kept what it replaced
}

// report is what a step has to say: a word for the outcome and the facts.
type report struct {
	outcome string
	warn    bool
	attrs   []slog.Attr
}

func ok(attrs ...slog.Attr) report { return report{outcome: "ok", attrs: attrs} }

func skipped(why string) report {
	return report{outcome: "skipped", attrs: []slog.Attr{slog.String("why", why)}}
}

// Run boots c. With a Command it returns only on an error, or, supervised, when
// the app has ended; a Command that is exec'ed replaces this process. With an App
// it returns what the function returned. ExitCode turns the error into the code
// to exit with.
//
// Run listens for SIGINT, SIGTERM, SIGHUP and SIGQUIT while it works: a signal
// during a step cancels it, undoes what is half-done, and is the cause of the
// error. Cancelling ctx does the same. It returns only when all it started has
// ended.
//
// The program must not have the database open while Run works: SQLite's locks are
// the process's, and closing any handle on the file gives them up.
func Run(ctx context.Context, c Config) error {
	if err := c.Validate(); err != nil {
		c = c.withDefaults()
		err := &Error{Step: "config", Code: ExitConfig, Err: err, Hint: "flysql-entrypoint --help lists the flags and variables"}
		c.Logger.LogAttrs(ctx, slog.LevelError, "config", failureAttrs(err, "refused", 0)...)
		return err
	}
	b := &boot{Config: c.withDefaults(), began: time.Now(), waited: map[int]bool{}}
	ctx, b.signals = listen(ctx)
	defer b.signals.stop()
	defer func() { b.use.release() }()
	if text := c.getenv(stageVariable); text != "" {
		return b.runAsStage(ctx, text)
	}

	mode, err := b.step(ctx, "mode", b.mode)
	if err != nil {
		return err
	}
	switch {
	case mode.outcome == passThrough:
		err = nil
	case b.node != nil:
		return b.runBesideLiteFS(ctx)
	default:
		err = b.steps(ctx, "guard", "own", "check", "snapshot", "migrate")
	}
	if err != nil || b.DryRun {
		return err
	}
	return b.app(ctx)
}

// steps runs those that are named, in a row.
func (b *boot) steps(ctx context.Context, names ...string) error {
	runs := map[string]func(context.Context) (report, error){
		"guard": b.guard, "own": b.own, "node": b.startNode,
		"check": b.check, "snapshot": b.snapshot, "migrate": b.migrate, "schema": b.awaitSchema, "import": b.importDatabase,
	}
	var boots *lock // one boot at a time from check to migrate, or of an import
	defer func() { boots.release() }()
	for _, name := range names {
		if (name == "check" || name == "import") && !b.DryRun {
			var err error
			if boots, err = b.lockBoots(ctx); err != nil {
				return b.fail(ctx, name, 0, err)
			}
		}
		if _, err := b.step(ctx, name, runs[name]); err != nil {
			return err
		}
	}
	return nil
}

// runBesideLiteFS boots with a LiteFS node that lives as long as the app, and
// returns when both have ended.
func (b *boot) runBesideLiteFS(ctx context.Context) error {
	defer b.stopNode(ctx)
	if err := b.steps(ctx, "guard", "own", "node"); err != nil || b.DryRun {
		return err
	}
	defer b.watchNode(ctx)()
	if err := b.schema(ctx); err != nil {
		return err
	}
	return b.app(ctx)
}

// step runs one step and logs its line.
func (b *boot) step(ctx context.Context, name string, run func(context.Context) (report, error)) (report, error) {
	start := time.Now()
	err := context.Cause(ctx)
	var r report
	if err == nil {
		if err = b.fault(name); err == nil {
			r, err = run(ctx)
		}
	}
	took := time.Since(start)
	if err != nil {
		return r, b.fail(ctx, name, took, err)
	}
	level := slog.LevelInfo
	if r.warn {
		level = slog.LevelWarn
	}
	attrs := append([]slog.Attr{slog.String("outcome", r.outcome), millis(took)}, r.attrs...)
	b.Logger.LogAttrs(ctx, level, name, attrs...)
	return r, nil
}

// fail logs the step that stopped the boot and gives its error the step's name
// and the code to exit with.
func (b *boot) fail(ctx context.Context, step string, took time.Duration, err error) error {
	// A signal is the reason for whatever error the step made of it.
	var sig *SignalError
	if cause := context.Cause(ctx); errors.As(cause, &sig) && !errors.As(err, &sig) {
		err = errors.Join(sig, err)
	}
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Err: err}
	} else {
		e = &Error{Code: e.Code, Hint: e.Hint, Err: unwrapStep(err, e)}
	}
	e.Step = step
	outcome := "failed"
	switch {
	case errors.As(err, &sig):
		outcome, e.Code = "interrupted", 128+int(sig.Signal)
	case e.Code == ExitConfig:
		outcome = "refused"
	case e.Code == 0:
		e.Code = ExitFailed
	}
	b.Logger.LogAttrs(ctx, slog.LevelError, step, failureAttrs(e, outcome, took)...)
	return e
}

// unwrapStep avoids naming the step twice: an *Error made inside a step has no
// step's name yet, and its text would start with ": ".
func unwrapStep(err error, e *Error) error {
	if err == error(e) {
		return e.Err
	}
	return err
}

func failureAttrs(e *Error, outcome string, took time.Duration) []slog.Attr {
	attrs := []slog.Attr{slog.String("outcome", outcome), millis(took), slog.String("err", e.Err.Error())}
	if e.Hint != "" {
		attrs = append(attrs, slog.String("hint", e.Hint))
	}
	return append(attrs, slog.Int("exit", e.Code))
}

// millis is a duration as every line of the log gives it: milliseconds, rounded
// to the microsecond.
func millis(d time.Duration) slog.Attr {
	return slog.Float64("ms", float64(d.Microseconds())/1000)
}
