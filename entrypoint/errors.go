package entrypoint

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// Exit codes of a boot that did not reach the app, beside the app's own.
const (
	// ExitFailed: a step failed; the log says which and what to do.
	ExitFailed = 1
	// ExitConfig (EX_CONFIG of sysexits.h): the configuration was refused
	// before anything was changed.
	ExitConfig = 78
	// ExitNotExecutable and ExitNotFound are what a shell answers for a command
	// that cannot be run.
	ExitNotExecutable = 126
	ExitNotFound      = 127
)

// Error is what Run returns when a step stopped the boot, or the app ended with
// another code than 0.
type Error struct {
	Step string // the step: mode, guard, own, check, snapshot, migrate, app
	Code int    // the exit code that says so: see ExitCode
	Hint string // what to do about it; may be empty
	Err  error  // what happened
}

func (e *Error) Error() string {
	if e.Step == "" { // not known yet
		return e.Err.Error()
	}
	return e.Step + ": " + e.Err.Error()
}

// Unwrap returns what happened.
func (e *Error) Unwrap() error { return e.Err }

// SignalError is the cause of a boot that a signal ended.
type SignalError struct{ Signal syscall.Signal }

func (e *SignalError) Error() string { return fmt.Sprintf("ended by %v", e.Signal) }

// ExitCode is the code a process should exit with after Run returned err: 0 for
// nil, the app's own code, 128+n where signal n ended the app or the boot, and
// otherwise one of the constants above.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	var sig *SignalError
	var e *Error
	switch {
	case errors.As(err, &e) && e.Code != 0:
		return e.Code
	case errors.As(err, &sig):
		return 128 + int(sig.Signal)
	}
	return ExitFailed
}

// refused is an error of the configuration: nothing was changed.
func refused(hint, format string, a ...any) error {
	return &Error{Code: ExitConfig, Hint: hint, Err: fmt.Errorf(format, a...)}
}

// failed is any other error of a step.
func failed(hint, format string, a ...any) error {
	return &Error{Code: ExitFailed, Hint: hint, Err: fmt.Errorf(format, a...)}
}

// notRunnable turns the error of finding or starting argv into one with the code
// and the words that a shell has for it.
func notRunnable(argv []string, err error) error {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return &Error{Code: ExitNotFound, Err: fmt.Errorf("%s: not found", argv[0]),
			Hint: "check the image's CMD, and that the Dockerfile copies the binary to a directory in PATH; a dynamically linked binary also needs its loader in the image"}
	}
	return &Error{Code: ExitNotExecutable, Err: fmt.Errorf("%s cannot be run: %w", argv[0], err),
		Hint: "check that it is a program for this machine, and executable for the app's user: chmod +x in the Dockerfile"}
}
