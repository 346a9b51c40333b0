package entrypoint

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signals receives the signals of this process from the start of a boot to the
// moment the app takes over, so that none is lost in between.
type signals struct {
	ending chan os.Signal // those that end a boot
	all    chan os.Signal // those that a parent hands on; nil until forward
	done   chan struct{}  // closed to end the goroutine
	idle   chan struct{}  // closed when it has ended
	again  chan struct{}  // closed at a second signal of ending
	got    *SignalError   // the first of ending; read it once idle is closed
}

// listen starts receiving. The returned context ends with a *SignalError as its
// cause at the first signal that asks for the end.
func listen(ctx context.Context) (context.Context, *signals) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &signals{
		ending: make(chan os.Signal, 8),
		done:   make(chan struct{}),
		idle:   make(chan struct{}),
		again:  make(chan struct{}),
	}
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		if !signal.Ignored(sig) { // nohup
			signal.Notify(s.ending, sig)
		}
	}
	go func() {
		defer close(s.idle)
		count := 0
		take := func(sig os.Signal) {
			switch count++; count {
			case 1:
				s.got = &SignalError{sig.(syscall.Signal)}
				cancel(s.got)
			case 2:
				close(s.again)
			}
		}
		for {
			select {
			case sig := <-s.ending:
				take(sig)
			case <-s.done:
				// What came before the end of the listening still counts.
				for {
					select {
					case sig := <-s.ending:
						take(sig)
					default:
						return
					}
				}
			}
		}
	}()
	return ctx, s
}

// forward starts to deliver every signal that a parent hands on to its child. A
// parent's own affairs are left out: its children's ends, the Go scheduler's
// preemption, broken pipes, and its own use of the terminal.
func (s *signals) forward() <-chan os.Signal {
	s.all = make(chan os.Signal, 64)
	var handed []os.Signal
	for n := syscall.Signal(1); n <= 64; n++ {
		switch n {
		case syscall.SIGKILL, syscall.SIGSTOP, // cannot be caught
			syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPIPE, syscall.SIGTTIN, syscall.SIGTTOU,
			32, 33: // the C library's own
		default:
			if !signal.Ignored(n) {
				handed = append(handed, n)
			}
		}
	}
	signal.Notify(s.all, handed...)
	return s.all
}

// handOver gives the signals that end a boot back to whoever comes next (the
// app after an exec, or forward), and returns one that came before that.
//
// From here to the exec, some microseconds, a signal has its default meaning,
// which for PID 1 of a container is none: the kernel drops it. Supervised, there
// is no such gap.
func (s *signals) handOver() error {
	s.end()
	if s.got == nil {
		return nil
	}
	for { // what came to both is no second signal
		select {
		case <-s.all:
		default:
			return s.got
		}
	}
}

// stop ends all receiving. It may be called after handOver.
func (s *signals) stop() {
	s.end()
	if s.all != nil {
		signal.Stop(s.all)
	}
}

func (s *signals) end() {
	signal.Stop(s.ending) // returns when nothing more will be sent
	select {
	case <-s.done:
	default:
		close(s.done)
	}
	<-s.idle
}
