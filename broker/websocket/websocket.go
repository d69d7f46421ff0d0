// Package websocket carries MQTT in WebSocket frames (RFC 6455, MQTT 5 section
// 6): it answers the HTTP request of a client and then is a net.Conn. The broker
// uses it on connections that it has accepted itself. It knows no packets of MQTT,
// no extensions of WebSocket and no client side.
//
// It is not the library that bridge/upstream dials with: that keeps two buffers for
// every connection from before anybody is known, takes a read that met its deadline
// for the end, where the broker reads on, answers in its own time limits, and wants
// an HTTP server around it, which would have to be bounded as Accept is.
package websocket

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	maxRequest  = 16 << 10 // bytes of the HTTP request
	subprotocol = "mqtt"   // [MQTT-6.0.0-3]
	oldProtocol = "mqttv3.1"
	acceptGUID  = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455, section 1.3
)

// Accept reads the request of a client on nc and answers it; the caller bounds
// the time by a deadline. A request that a browser makes for a page from another
// host is refused unless origins hold the page's origin, such as
// https://panel.example.com:3000, or "*": pages could else use what the machine of
// their reader may reach.
func Accept(nc net.Conn, origins []string) (*Conn, error) {
	bounded := &io.LimitedReader{R: nc, N: maxRequest}
	r := bufio.NewReader(bounded)
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil, fmt.Errorf("read the WebSocket request: %w", err)
	}
	if code, why := check(req, origins); code != 0 {
		refuse(nc, code, why)
		return nil, errors.New("WebSocket request refused: " + why)
	}
	if err := answer(nc, req); err != nil {
		return nil, fmt.Errorf("answer the WebSocket request: %w", err)
	}
	bounded.N = 1<<63 - 1
	return &Conn{Conn: nc, r: r}, nil
}

// check returns the HTTP status of a refusal and the reason; 0 to accept.
func check(req *http.Request, origins []string) (int, string) {
	key, err := base64.StdEncoding.DecodeString(req.Header.Get("Sec-Websocket-Key"))
	switch {
	case req.Method != http.MethodGet || !has(req.Header, "Connection", "upgrade") || !has(req.Header, "Upgrade", "websocket"):
		return http.StatusUpgradeRequired, "this port speaks MQTT over WebSocket"
	case req.Header.Get("Sec-Websocket-Version") != "13":
		return http.StatusUpgradeRequired, "the version must be 13"
	case err != nil || len(key) != 16:
		return http.StatusBadRequest, "the key is missing or malformed"
	case protocolOf(req) == "":
		return http.StatusBadRequest, "the subprotocol must be mqtt"
	case !welcome(req, origins):
		return http.StatusForbidden, "the origin is not allowed"
	}
	return 0, ""
}

func protocolOf(req *http.Request) string {
	for _, p := range []string{subprotocol, oldProtocol} {
		if has(req.Header, "Sec-Websocket-Protocol", p) {
			return p
		}
	}
	return ""
}

// has reports whether a list of a header holds a token.
func has(h http.Header, name, token string) bool {
	for _, value := range h.Values(name) {
		for item := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(item), token) {
				return true
			}
		}
	}
	return false
}

// welcome reports whether the page that asks may: only browsers send an origin.
func welcome(req *http.Request, origins []string) bool {
	origin := req.Header.Get("Origin")
	if origin == "" || slices.Contains(origins, "*") || slices.Contains(origins, origin) {
		return true
	}
	page, err := url.Parse(origin)
	own := &url.URL{Host: req.Host}
	return err == nil && page.Hostname() != "" && strings.EqualFold(page.Hostname(), own.Hostname())
}

func answer(nc net.Conn, req *http.Request) error {
	sum := sha1.Sum([]byte(req.Header.Get("Sec-Websocket-Key") + acceptGUID))
	_, err := fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]), protocolOf(req))
	return err
}

func refuse(nc net.Conn, code int, why string) {
	extra := ""
	if code == http.StatusUpgradeRequired {
		extra = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	}
	fmt.Fprintf(nc, "HTTP/1.1 %d %s\r\n%sConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s\n",
		code, http.StatusText(code), extra, len(why)+1, why)
}
