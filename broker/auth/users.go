package auth

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// Limits of logging in.
const (
	maxWaiting    = 32                  // logins that wait for the one that is verified
	failures      = 10                  // wrong passwords from one address at once
	failureRefill = 1.0 / 10            // and so many a second in the long run
	stranger      = "no such user here" // what the password of an unknown user is compared with
)

// Why a login is refused.
var (
	ErrDenied  = errors.New("user name or password is wrong")
	ErrTooMany = errors.New("too many wrong passwords from this address")
	ErrBusy    = errors.New("too many logins wait for verification")
)

// User is a user with rights of its own.
type User struct {
	Name string
	// PasswordFile is a file whose first line is the password, or its hash. It is
	// read at each login. If it is empty the password is in Config.File, or the
	// user has none and enters by certificate.
	PasswordFile string
	Rights       Rights
}

// Config says who there is.
type Config struct {
	Users []User
	// File is the path of a password file, empty for none. A change of it counts
	// from the next login on.
	File string
	// Others are the rights of those who are in File only.
	Others Rights
}

// Users know who may enter. Passwords are verified one at a time, so that logins
// take the memory and the processor of one; a password that was right is known
// again without that.
type Users struct {
	cfg      Config
	log      *slog.Logger
	byName   map[string]User
	slot     chan struct{} // holds the one login that is verified
	waiting  chan struct{} // holds those that wait
	failures *Limiter
	key      [32]byte // of known
	dummy    func() (string, error)

	mu    sync.Mutex
	known map[string][sha256.Size]byte // what was right last, by user
	file  *File
	stamp stamp             // of file
	told  map[string]string // what was said about each trouble last
}

// stamp tells versions of a file apart.
type stamp struct {
	size int64
	at   time.Time
}

// New checks cfg and reads the password file.
func New(cfg Config, log *slog.Logger) (*Users, error) {
	u := &Users{
		cfg: cfg, log: log, byName: map[string]User{}, file: &File{}, known: map[string][sha256.Size]byte{}, told: map[string]string{},
		slot: make(chan struct{}, 1), waiting: make(chan struct{}, maxWaiting), failures: NewLimiter(failureRefill, failures),
		dummy: sync.OnceValues(func() (string, error) { return Hash(stranger) }),
	}
	rand.Read(u.key[:])
	for _, user := range cfg.Users {
		if err := errors.Join(CheckName(user.Name), user.Rights.Check()); err != nil {
			return nil, fmt.Errorf("user %q: %w", user.Name, err)
		}
		u.byName[user.Name] = user
	}
	if cfg.File != "" {
		if err := u.reload(); err != nil {
			return nil, fmt.Errorf("password file: %w", err)
		}
	}
	return u, nil
}

// Certified returns the rights of a user whose certificate was checked. Only
// users of the configuration enter so: an authority may serve others too.
func (u *Users) Certified(name string) (Rights, bool) {
	user, ok := u.byName[name]
	return user.Rights, ok
}

// Rights returns the rights of a user; false if there is none of that name.
func (u *Users) Rights(name string) (Rights, bool) {
	rights, secret := u.find(name)
	_, own := u.byName[name]
	return rights, own || secret != ""
}

// Login returns the rights of a user who gives a password. It may wait for other
// logins, until ctx ends. The error is ErrDenied, ErrTooMany or ErrBusy.
func (u *Users) Login(ctx context.Context, from netip.Addr, name, password string) (Rights, error) {
	rights, secret := u.find(name)
	if u.remembers(name, secret, password) {
		return rights, nil
	}
	leave, err := u.enter(ctx)
	if err != nil {
		return Rights{}, err
	}
	defer leave()
	switch {
	case u.remembers(name, secret, password): // another login of the same user was before us
	case u.failures.Spent(from):
		return Rights{}, ErrTooMany
	case !u.verify(name, secret, password):
		u.failures.Take(from)
		return Rights{}, ErrDenied
	}
	u.remember(name, secret, password)
	return rights, nil
}

// enter waits until this login is the one that is verified.
func (u *Users) enter(ctx context.Context) (leave func(), err error) {
	select {
	case u.waiting <- struct{}{}:
	default:
		return nil, ErrBusy
	}
	defer func() { <-u.waiting }()
	select {
	case u.slot <- struct{}{}:
		return func() { <-u.slot }, nil
	case <-ctx.Done():
		return nil, ErrBusy
	}
}

// verify takes as long for a user who does not exist as for one who does.
func (u *Users) verify(name, secret, password string) bool {
	if secret == "" {
		if hash, err := u.dummy(); err == nil {
			_, _ = Verify(hash, password)
		}
		return false
	}
	if !IsHash(secret) {
		return samePassword(secret, password)
	}
	right, _ := Verify(secret, password)
	return right
}

// find returns the rights and the password, or its hash, of a user; an empty one
// lets nobody in.
func (u *Users) find(name string) (Rights, string) {
	user, own := u.byName[name]
	if own && user.PasswordFile != "" {
		secret, err := firstLine(user.PasswordFile)
		u.mu.Lock()
		defer u.mu.Unlock()
		u.complain("cannot read the password of user "+name, err)
		return user.Rights, secret
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.cfg.File != "" {
		u.complain("cannot read the password file, users stay as they were", u.reload())
	}
	hash, _ := u.file.Hash(name)
	if own {
		return user.Rights, hash
	}
	return u.cfg.Others, hash
}

// complain logs a trouble when it is new.
func (u *Users) complain(what string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != u.told[what] {
		u.log.Warn(what, "err", err)
	}
	u.told[what] = text
}

// reload reads the password file if it is another than last time.
func (u *Users) reload() error {
	info, err := os.Stat(u.cfg.File)
	if err != nil {
		return err
	}
	now := stamp{info.Size(), info.ModTime()}
	if now == u.stamp {
		return nil
	}
	file, err := ReadFile(u.cfg.File)
	if err != nil {
		return err
	}
	u.file, u.stamp = file, now
	return nil
}

func firstLine(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	s, err := bufio.NewReader(io.LimitReader(f, maxPassword+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(s, "\r\n"), nil
}

func (u *Users) remembers(name, secret, password string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	before, ok := u.known[name]
	now := u.digest(name, secret, password)
	return ok && hmac.Equal(before[:], now[:])
}

func (u *Users) remember(name, secret, password string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.known[name] = u.digest(name, secret, password)
}

// digest is worth nothing without the key, which this process alone has.
func (u *Users) digest(parts ...string) (d [sha256.Size]byte) {
	h := hmac.New(sha256.New, u.key[:])
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return [sha256.Size]byte(h.Sum(d[:0]))
}
