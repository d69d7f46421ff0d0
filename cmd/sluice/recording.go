package main

import (
	"errors"
	"os"
	"time"

	"sluice/drivers/monitor"
	"sluice/drivers/transcript"
)

// recording is a transcript that grows with what is heard. Those of nil go nowhere.
type recording struct {
	file  *os.File
	w     *transcript.Writer
	start time.Time
	begun bool
	err   error // the first
}

// newRecording begins a file. One that is there stays as it is.
func newRecording(path string, h transcript.Header) (*recording, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil, hint(err, "give the recording a name of its own")
	} else if err != nil {
		return nil, err
	}
	r := &recording{file: f, start: h.Start}
	if r.w, err = transcript.NewWriter(f, h); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

// add writes a frame that was heard.
func (r *recording) add(f monitor.Frame) {
	if r == nil || r.err != nil {
		return
	}
	e := transcript.Entry{Gap: f.Gap, Kind: transcript.Noise, Bytes: f.ADU}
	if !r.begun {
		e.Gap = f.Start.Sub(r.start)
	}
	switch f.Kind {
	case monitor.Request:
		e.Kind = transcript.Request
	case monitor.Reply:
		e.Kind = transcript.Reply
	}
	r.begun = true
	r.err = r.w.Write(e)
}

// close ends the file and returns what went wrong with it.
func (r *recording) close() error {
	if r == nil {
		return nil
	}
	return errors.Join(r.err, r.file.Close())
}
