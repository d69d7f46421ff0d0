package gateway

import (
	"log/slog"
	"path/filepath"

	"sluice/broker"
	"sluice/broker/auth"
	"sluice/broker/certs"
	"sluice/gateway/config"
)

// CertsDir is the folder of the authority that the LAN broker has of its own.
func CertsDir(stateDir string) string { return filepath.Join(stateDir, "tls") }

// lanBroker returns the broker on the LAN; clients can't publish to what is
// protected.
func (g *Gateway) lanBroker(cfg *config.Config, opt Options, protected []string) (*broker.Broker, error) {
	c := broker.Config{Protected: protected, Retained: g.retained, Journal: g.sessions, Limits: cfg.Broker.Limits}
	c.Limits.SessionExpiry = cfg.Broker.Sessions.Expiry
	for _, l := range cfg.Broker.Listen {
		listener := broker.Listener{
			Address: l.Address, Mode: l.Mode, Plaintext: l.Plaintext, WebSocket: l.WebSocket, Origins: l.Origins, Anonymous: l.Anonymous,
		}
		if l.TLS {
			server, err := certs.NewServer(ServerCerts(cfg, l, opt.StateDir), opt.Log)
			if err != nil {
				return nil, err
			}
			listener.TLS = server.TLS()
		}
		c.Listen = append(c.Listen, listener)
	}
	var err error
	if c.Users, err = lanUsers(cfg.Broker, opt.Log); err != nil {
		return nil, err
	}
	return broker.New(c, opt.Log)
}

// ServerCerts says which certificates an address of the LAN broker is served with.
func ServerCerts(cfg *config.Config, l config.Listen, stateDir string) certs.Config {
	t := cfg.Broker.TLS
	return certs.Config{
		Cert: t.Cert, Key: t.Key, Hosts: t.Names, ClientAuth: l.Clients, ClientCA: t.ClientCA,
		Dir: CertsDir(stateDir), Name: AuthorityName(cfg),
	}
}

// AuthorityName is what people see of the gateway's own authority.
func AuthorityName(cfg *config.Config) string { return "Sluice " + cfg.Gateway }

// lanUsers returns nil if there are no users.
func lanUsers(c config.Broker, log *slog.Logger) (*auth.Users, error) {
	if len(c.Users) == 0 && c.PasswordFile == "" {
		return nil, nil
	}
	users := auth.Config{File: c.PasswordFile, Others: config.Readers()}
	for _, u := range c.Users {
		users.Users = append(users.Users, auth.User(u))
	}
	return auth.New(users, log)
}
