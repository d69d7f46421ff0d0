package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"

	"sluice/drivers/modbus"
	"sluice/gateway/status"
)

// ErrNobody says that no gateway serves the socket.
var ErrNobody = errors.New("no gateway runs here")

// maxAnswer bounds what a gateway may answer.
const maxAnswer = 64 << 20

// Client speaks to the gateway behind a socket. Its errors are ErrNobody,
// ErrUnknown, those of the gateway, *modbus.Error for exchanges, and why the socket
// could not be used.
type Client struct {
	path string
	http http.Client
}

// NewClient returns a client of the gateway that serves the socket at path.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Close ends the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status returns the latest snapshot.
func (c *Client) Status(ctx context.Context) (s status.Snapshot, err error) {
	err = c.call(ctx, "GET", "/v1/status", nil, &s)
	return s, err
}

// Events returns the latest events, oldest first.
func (c *Client) Events(ctx context.Context) (events []status.Event, err error) {
	err = c.call(ctx, "GET", "/v1/events", nil, &events)
	return events, err
}

// Reload has the site file read again.
func (c *Client) Reload(ctx context.Context) (r status.Reload, err error) {
	err = c.call(ctx, "POST", "/v1/reload", nil, &r)
	return r, err
}

// Exchange performs one exchange on a bus; see Gateway.
func (c *Client) Exchange(ctx context.Context, bus string, inTurn bool, req modbus.Request, t modbus.Timing) ([]byte, error) {
	var a answer
	err := c.call(ctx, "POST", "/v1/buses/"+url.PathEscape(bus)+"/exchange", exchange{
		InTurn: inTurn, Unit: req.Unit, Function: req.Function, Address: req.Address, Count: req.Count, Data: req.Data,
		Timeout: t.Timeout, Gap: t.Gap, NoCanary: t.NoCanary,
	}, &a)
	return a.Data, err
}

// Trace copies what passes the port of a bus to w until ctx ends.
func (c *Client) Trace(ctx context.Context, bus string, w io.Writer) error {
	body, err := c.open(ctx, "GET", "/v1/buses/"+url.PathEscape(bus)+"/trace", nil)
	if err == nil {
		defer body.Close()
		_, err = io.Copy(w, body)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Drop gives up messages; see Gateway.
func (c *Client) Drop(ctx context.Context, bridge, lane string, before uint64) (uint64, error) {
	var n count
	err := c.call(ctx, "POST", fmt.Sprintf("/v1/queues/%s/%s/drop?before=%d", url.PathEscape(bridge), url.PathEscape(lane), before), nil, &n)
	return n.Messages, err
}

// Resend puts dead letters back; see Gateway.
func (c *Client) Resend(ctx context.Context, bridge string, number uint64) (uint64, error) {
	var n count
	err := c.call(ctx, "POST", fmt.Sprintf("/v1/queues/%s/resend?number=%d", url.PathEscape(bridge), number), nil, &n)
	return n.Messages, err
}

// call sends a request and reads the answer into it.
func (c *Client) call(ctx context.Context, method, path string, request, into any) error {
	body, err := c.open(ctx, method, path, request)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("the answer on %s is none: %w", c.path, err)
	}
	return nil
}

// open sends a request and returns the body of its answer.
func (c *Client) open(ctx context.Context, method, path string, request any) (io.ReadCloser, error) {
	text, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://gateway"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var f failure
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&f); err != nil {
		return nil, fmt.Errorf("%s answers %s", c.path, resp.Status)
	}
	return nil, f.err()
}

// explain says why nobody answers.
func (c *Client) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", ErrNobody, e.Err)
	}
	return fmt.Errorf("%s: %w", c.path, errors.Unwrap(err))
}

// err is the error that the gateway had.
func (f failure) err() error {
	switch {
	case f.Unknown:
		return fmt.Errorf("%s%w", strings.TrimSuffix(f.Error, ErrUnknown.Error()), ErrUnknown)
	case f.Fault == "":
		return errors.New(f.Error)
	}
	e := &modbus.Error{Fault: modbus.Medium, Unit: f.Unit, Exception: f.Exception}
	for fault := modbus.Medium; fault <= modbus.Unsupported; fault++ {
		if fault.String() == f.Fault {
			e.Fault = fault
		}
	}
	if f.Exception == 0 {
		e.Err = errors.New(f.Error)
	}
	return e
}
