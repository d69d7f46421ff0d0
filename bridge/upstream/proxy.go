package upstream

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Proxy is what the way to the broker leads through.
type Proxy struct {
	URL      string // http://host:3128 (CONNECT, RFC 9110, 9.3.6) or socks5://host:1080 (RFC 1928); the ports shown may be left out
	Username string // empty: none is offered
	Password string
}

// maxProxyHead bounds the answer to CONNECT.
const maxProxyHead = 16 << 10

// address returns where the proxy is, without what else its URL may hold.
func (p *Proxy) address() (*url.URL, error) {
	u, err := url.Parse(p.URL)
	ports := map[string]string{"http": "3128", "socks5": "1080"}
	if err != nil || ports[u.Scheme] == "" || u.Hostname() == "" || u.User != nil {
		return nil, errors.New("proxy is not of the form http://host:3128 or socks5://host:1080")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), ports[u.Scheme])
	}
	return u, nil
}

// dial opens a way through the proxy to host:port. The proxy looks the name up.
func (p *Proxy) dial(ctx context.Context, to func(context.Context, string) (net.Conn, error), target string) (net.Conn, error) {
	u, err := p.address()
	if err != nil {
		return nil, err
	}
	conn, err := to(ctx, u.Host)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	ask := p.connect
	if u.Scheme == "socks5" {
		ask = p.socks
	}
	err = ask(conn, target)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("proxy %s: %w", u.Host, err)
	}
	return conn, nil
}

// connect asks an HTTP proxy for the way to target.
func (p *Proxy) connect(conn net.Conn, target string) error {
	request := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if p.Username != "" {
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(p.Username+":"+p.Password)) + "\r\n"
	}
	if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
		return err
	}
	in := bufio.NewReader(io.LimitReader(conn, maxProxyHead))
	answer, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return fmt.Errorf("no answer to CONNECT that is HTTP: %w", err)
	}
	answer.Body.Close()
	switch code := answer.StatusCode; {
	case code/100 == 2 && in.Buffered() > 0:
		return errors.New("it sends before it is asked: this is no way to a broker")
	case code/100 == 2:
		return nil
	case code == http.StatusProxyAuthRequired || code == http.StatusUnauthorized:
		return errors.New("it refuses the credentials: check username and password of the proxy")
	case code == http.StatusForbidden || code == http.StatusMethodNotAllowed:
		return fmt.Errorf("it does not allow %s (%d): its operator must permit CONNECT to this host and port", target, code)
	case code >= 500:
		return fmt.Errorf("it cannot reach %s (%d)", target, code)
	default:
		return fmt.Errorf("it answers CONNECT to %s with %d: check that this is a proxy", target, code)
	}
}

// The numbers of SOCKS 5: RFC 1928, and RFC 1929 for the password.
const (
	socksVersion  = 5
	socksNoAuth   = 0
	socksPassword = 2
	socksConnect  = 1
	socksIPv4     = 1
	socksName     = 3
	socksIPv6     = 4
)

// socks asks a SOCKS proxy for the way to target.
func (p *Proxy) socks(conn net.Conn, target string) error {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || len(host) > 255 || len(p.Username) > 255 || len(p.Password) > 255 {
		return errors.New("host, user name or password is too long for SOCKS")
	}
	if err := p.socksGreet(conn); err != nil {
		return err
	}
	request := append([]byte{socksVersion, socksConnect, 0}, socksAddress(host)...)
	if _, err := conn.Write(binary.BigEndian.AppendUint16(request, uint16(number))); err != nil {
		return err
	}
	return socksAnswer(conn, target)
}

// socksGreet agrees on how to log in, and does.
func (p *Proxy) socksGreet(conn net.Conn) error {
	method := byte(socksNoAuth)
	if p.Username != "" {
		method = socksPassword
	}
	if _, err := conn.Write([]byte{socksVersion, 1, method}); err != nil {
		return err
	}
	var answer [2]byte
	if err := socksRead(conn, answer[:]); err != nil {
		return err
	}
	switch {
	case answer[0] != socksVersion:
		return errors.New("it does not speak SOCKS 5: check address and port")
	case answer[1] != method && p.Username == "":
		return errors.New("it wants credentials: give the proxy username and password")
	case answer[1] != method:
		return errors.New("it takes no user name and password: leave them out")
	case method == socksNoAuth:
		return nil
	}
	login := append([]byte{1, byte(len(p.Username))}, p.Username...)
	login = append(append(login, byte(len(p.Password))), p.Password...)
	if _, err := conn.Write(login); err != nil {
		return err
	}
	if err := socksRead(conn, answer[:]); err != nil || answer[1] != 0 {
		return errors.New("it refuses the credentials: check username and password of the proxy")
	}
	return nil
}

func socksAddress(host string) []byte {
	ip := net.ParseIP(host)
	if v4 := ip.To4(); v4 != nil {
		return append([]byte{socksIPv4}, v4...)
	}
	if ip != nil {
		return append([]byte{socksIPv6}, ip...)
	}
	return append([]byte{socksName, byte(len(host))}, host...)
}

// socksAnswer reads whether there is a way, and the address at its other end,
// which nobody wants to know.
func socksAnswer(conn net.Conn, target string) error {
	var head [5]byte
	if err := socksRead(conn, head[:]); err != nil {
		return err
	}
	rest := map[byte]int{socksIPv4: net.IPv4len, socksIPv6: net.IPv6len, socksName: 1 + int(head[4])}[head[3]]
	if head[0] != socksVersion || rest == 0 {
		return errors.New("it does not speak SOCKS 5: check address and port")
	}
	if err := socksRead(conn, make([]byte, rest-1+2)); err != nil && head[1] == 0 {
		return err
	}
	switch head[1] {
	case 0:
		return nil
	case 2:
		return fmt.Errorf("it does not allow %s: its operator must permit this host and port", target)
	case 3, 4, 5, 6:
		return fmt.Errorf("it cannot reach %s (SOCKS reply %d)", target, head[1])
	default:
		return fmt.Errorf("it gives no way to %s (SOCKS reply %d)", target, head[1])
	}
}

func socksRead(conn net.Conn, b []byte) error {
	if _, err := io.ReadFull(conn, b); err != nil {
		return fmt.Errorf("no answer that is SOCKS 5: %w", err)
	}
	return nil
}
