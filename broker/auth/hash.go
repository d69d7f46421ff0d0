package auth

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// What Hash asks of the processor: the least that OWASP recommends (Password
// Storage Cheat Sheet), 0.07 s on a desktop and about 0.4 s on a Raspberry Pi 4.
const (
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	saltBytes    = 16
	keyBytes     = 32
)

// Bounds of what Verify accepts: a password file may come from elsewhere, and one
// login must not take the machine.
const (
	maxPassword   = 1024 // bytes
	maxMemory     = 64 << 10
	maxTime       = 16
	maxThreads    = 16
	maxIterations = 1_000_000
	maxCost       = 14
	minKey        = 16
	maxKey        = 128 // also of the salt
)

var (
	errPassword = fmt.Errorf("a password has 1 to %d bytes", maxPassword)
	errForm     = errors.New("not a password hash that is known here: argon2id, bcrypt or mosquitto's $7$")
	errCostly   = errors.New("the password hash asks for more time or memory than is spent on a login")
)

// Hash returns what is stored of a password: argon2id in PHC string format.
func Hash(password string) (string, error) {
	if password == "" || len(password) > maxPassword {
		return "", errPassword
	}
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails, crypto/rand says
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, keyBytes)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// Verify reports whether password is the one that hash was made of: argon2id in
// PHC string format, bcrypt, or PBKDF2 as mosquitto_passwd writes it ($7$). An
// error says that hash is none of these or too costly.
func Verify(hash, password string) (bool, error) {
	if len(password) > maxPassword {
		return false, nil
	}
	check, err := parseHash(hash)
	if err != nil {
		return false, err
	}
	return check(password), nil
}

// CheckHash reports why Verify would not take hash, or nil.
func CheckHash(hash string) error {
	_, err := parseHash(hash)
	return err
}

// IsHash reports whether s is a hash rather than a password.
func IsHash(s string) bool { return CheckHash(s) == nil }

func parseHash(hash string) (func(password string) bool, error) {
	fields := strings.Split(hash, "$")
	if len(fields) < 2 || fields[0] != "" {
		return nil, errForm
	}
	switch fields[1] {
	case "argon2id":
		return parseArgon(fields[2:])
	case "2a", "2b", "2y":
		return parseBcrypt(hash)
	case "7":
		return parseMosquitto(fields[2:])
	}
	return nil, errForm
}

func parseArgon(fields []string) (func(string) bool, error) {
	if len(fields) != 4 || fields[0] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, errForm
	}
	var memory, time, threads int
	if n, err := fmt.Sscanf(fields[1], "m=%d,t=%d,p=%d", &memory, &time, &threads); n != 3 || err != nil {
		return nil, errForm
	}
	salt, key, err := decodePair(base64.RawStdEncoding, fields[2], fields[3])
	if err != nil || memory < 1 || time < 1 || threads < 1 {
		return nil, errForm
	}
	if memory > maxMemory || time > maxTime || threads > maxThreads {
		return nil, errCostly
	}
	return func(password string) bool {
		return equal(key, argon2.IDKey([]byte(password), salt, uint32(time), uint32(memory), uint8(threads), uint32(len(key))))
	}, nil
}

func parseBcrypt(hash string) (func(string) bool, error) {
	cost, err := bcrypt.Cost([]byte(hash))
	switch {
	case err != nil || len(hash) != 60:
		return nil, errForm
	case cost > maxCost:
		return nil, errCostly
	}
	return func(password string) bool {
		return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	}, nil
}

// parseMosquitto reads $7$ITERATIONS$SALT$KEY: PBKDF2 with HMAC-SHA-512.
func parseMosquitto(fields []string) (func(string) bool, error) {
	if len(fields) != 3 {
		return nil, errForm
	}
	iterations, err := strconv.Atoi(fields[0])
	if err != nil || iterations < 1 {
		return nil, errForm
	}
	salt, key, err := decodePair(base64.StdEncoding, fields[1], fields[2])
	switch {
	case err != nil:
		return nil, errForm
	case iterations > maxIterations:
		return nil, errCostly
	}
	return func(password string) bool {
		got, err := pbkdf2.Key(sha512.New, password, salt, iterations, len(key))
		return err == nil && equal(key, got)
	}, nil
}

func decodePair(e *base64.Encoding, salt, key string) (s, k []byte, err error) {
	s, err = e.DecodeString(salt)
	if err == nil {
		k, err = e.DecodeString(key)
	}
	if err == nil && (len(s) == 0 || len(s) > maxKey || len(k) < minKey || len(k) > maxKey) {
		err = errForm
	}
	return s, k, err
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// samePassword compares in a time that tells nothing of either.
func samePassword(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return bytes.Equal(x[:], y[:])
}
