package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"

	"golang.org/x/term"
)

// terminal is where a command speaks to a person: results to out, everything
// else to err. This file holds the rules of speaking: errors begin with
// "sluice: ", and a hint says what to type.
type terminal struct {
	out, err io.Writer
}

// outputOf returns f for writing results to, and a context that also ends when
// whoever reads them has gone, as head does.
func outputOf(ctx context.Context, f *os.File) (io.Writer, context.Context) {
	if term.IsTerminal(int(f.Fd())) {
		return f, ctx
	}
	ctx, gone := context.WithCancelCause(ctx)
	return pipe{f, gone}, ctx
}

// pipe is an output that is no screen.
type pipe struct {
	io.Writer
	gone context.CancelCauseFunc
}

func (p pipe) Write(b []byte) (int, error) {
	n, err := p.Writer.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		p.gone(errors.New("nobody reads the output any longer"))
	}
	return n, err
}

// hinted is an error with what to do about it.
type hinted struct {
	error
	hint string
	code int
}

func (h hinted) Unwrap() error { return h.error }

// hint adds to an error what to do about it.
func hint(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...), exitFailed}
}

// usage is an error of the command line.
func usage(format, hint string, args ...any) error {
	return hinted{fmt.Errorf(format, args...), hint, exitUsage}
}

// errReported stands for an error whose text has been printed already.
var errReported = errors.New("reported")

// exit prints an error and returns the exit code for it.
func (t terminal) exit(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errReported):
		return exitFailed
	}
	fmt.Fprintf(t.err, "sluice: %v\n", err)
	if h, ok := errors.AsType[hinted](err); ok {
		fmt.Fprintf(t.err, "  hint: %s\n", h.hint)
		return h.code
	}
	return exitFailed
}

// logger writes to err, one line an event.
func (t terminal) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: level}))
}

// isScreen reports whether out is a terminal that can be drawn on.
func (t terminal) isScreen() bool {
	f, ok := t.out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// size returns the width and height of the screen in characters.
func (t terminal) size() (width, height int) {
	if f, ok := t.out.(*os.File); ok {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	return 80, 24
}
