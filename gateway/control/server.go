package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/net/netutil"

	"sluice/drivers/modbus"
	"sluice/gateway/backoff"
	"sluice/gateway/status"
)

// ErrUnknown says that there is no bus, bridge or lane of that name.
var ErrUnknown = errors.New("there is none of that name")

const (
	maxClients = 32
	maxBody    = 16 << 10
	maxTimeout = 30 * time.Second
	headerTime = 5 * time.Second
)

// Server serves a gateway on a unix socket.
type Server struct {
	path  string
	gw    Gateway
	log   *slog.Logger
	ready chan struct{}
}

// NewServer returns a server that does nothing before Run.
func NewServer(path string, gw Gateway, log *slog.Logger) *Server {
	return &Server{path: path, gw: gw, log: log, ready: make(chan struct{})}
}

// String returns the server's name in logs.
func (s *Server) String() string { return "control" }

// Ready is closed after the first attempt to serve.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run serves until ctx is cancelled. A socket that cannot be made is tried again,
// for ever: polling does not depend on it.
func (s *Server) Run(ctx context.Context) error {
	retry := backoff.Policy{Min: time.Second, Max: time.Minute}
	told := ""
	for failures := 0; ctx.Err() == nil; failures++ {
		in, err := s.listen(ctx)
		if failures == 0 {
			close(s.ready)
		}
		if err == nil {
			told = ""
			err = s.serve(ctx, in)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err.Error() != told {
			s.log.Warn("no control socket", "path", s.path, "error", err)
			told = err.Error()
		}
		retry.Wait(ctx, failures) // its error is that of ctx
	}
	return nil
}

// listen makes the socket in place of one that a gateway has left behind.
func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	if conn, err := net.Dial("unix", s.path); err == nil {
		conn.Close()
		return nil, fmt.Errorf("another gateway serves %s", s.path)
	}
	if info, err := os.Lstat(s.path); err == nil && info.Mode().Type() == os.ModeSocket {
		if err := os.Remove(s.path); err != nil {
			return nil, err
		}
	}
	var lc net.ListenConfig
	in, err := lc.Listen(ctx, "unix", s.path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(s.path, 0o660); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return netutil.LimitListener(in, maxClients), nil
}

// serve serves until ctx is cancelled, which also ends what is being served.
func (s *Server) serve(ctx context.Context, in net.Listener) error {
	server := &http.Server{
		Handler: s.routes(), ReadHeaderTimeout: headerTime, IdleTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	return server.Serve(in)
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) { reply(w, s.gw.Status()) })
	mux.HandleFunc("GET /v1/events", s.events)
	mux.HandleFunc("POST /v1/reload", func(w http.ResponseWriter, r *http.Request) {
		reply(w, s.gw.Reread(context.WithoutCancel(r.Context())))
	})
	mux.HandleFunc("POST /v1/buses/{bus}/exchange", s.exchange)
	mux.HandleFunc("GET /v1/buses/{bus}/trace", s.trace)
	mux.HandleFunc("POST /v1/queues/{bridge}/{lane}/drop", func(w http.ResponseWriter, r *http.Request) {
		s.change(w, r, "before", func(n uint64) (uint64, error) { return s.gw.Drop(r.PathValue("bridge"), r.PathValue("lane"), n) })
	})
	mux.HandleFunc("POST /v1/queues/{bridge}/resend", func(w http.ResponseWriter, r *http.Request) {
		s.change(w, r, "number", func(number uint64) (uint64, error) {
			n, err := s.gw.Resend(r.Context(), r.PathValue("bridge"), number)
			return uint64(n), err
		})
	})
	return mux
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	after, err := number(r, "after")
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	reply(w, append([]status.Event{}, s.gw.Events(after)...))
}

// exchange performs an exchange on a bus.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request) {
	var x exchange
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&x); err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	if x.Timeout <= 0 || x.Timeout > maxTimeout || x.Gap < 0 || x.Gap > maxTimeout {
		fail(w, http.StatusBadRequest, fmt.Errorf("a timeout of %v and a gap of %v are not possible", x.Timeout, x.Gap))
		return
	}
	req := modbus.Request{Unit: x.Unit, Function: x.Function, Address: x.Address, Count: x.Count, Data: x.Data}
	t := modbus.Timing{Timeout: x.Timeout, Gap: x.Gap, NoCanary: x.NoCanary}
	data, err := s.gw.Exchange(r.Context(), r.PathValue("bus"), x.InTurn, req, t)
	if err != nil {
		fail(w, http.StatusUnprocessableEntity, err)
		return
	}
	reply(w, answer{data})
}

// trace sends a transcript for as long as somebody reads it.
func (s *Server) trace(w http.ResponseWriter, r *http.Request) {
	out := &flusher{ResponseWriter: w, control: http.NewResponseController(w)}
	if err := s.gw.Trace(r.Context(), r.PathValue("bus"), out); err != nil && !out.begun {
		fail(w, http.StatusUnprocessableEntity, err)
	}
}

// flusher sends what is written at once.
type flusher struct {
	http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (f *flusher) Write(b []byte) (int, error) {
	f.begun = true
	_ = f.control.SetWriteDeadline(time.Now().Add(headerTime)) // it is over then, and not before
	n, err := f.ResponseWriter.Write(b)
	return n, errors.Join(err, f.control.Flush())
}

// change does something to messages, and says to how many.
func (s *Server) change(w http.ResponseWriter, r *http.Request, name string, do func(uint64) (uint64, error)) {
	n, err := number(r, name)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	if n, err = do(n); err != nil {
		fail(w, http.StatusUnprocessableEntity, err)
		return
	}
	reply(w, count{n})
}

// number reads a parameter; 0 when it is not there.
func number(r *http.Request, name string) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	return strconv.ParseUint(text, 10, 64)
}

func reply[T any](w io.Writer, body T) {
	_ = json.NewEncoder(w).Encode(body) // whoever asked has gone, or it is written
}

// fail says why there is no answer.
func fail(w http.ResponseWriter, code int, err error) {
	body := failure{Error: err.Error(), Unknown: errors.Is(err, ErrUnknown)}
	if body.Unknown {
		code = http.StatusNotFound
	}
	if e, ok := errors.AsType[*modbus.Error](err); ok {
		body.Fault, body.Exception, body.Unit = e.Fault.String(), e.Exception, e.Unit
		if e.Err != nil {
			body.Error = e.Err.Error()
		}
	}
	w.WriteHeader(code)
	reply(w, body)
}
