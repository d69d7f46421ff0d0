package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"sluice/broker/auth"
)

// passwordPrompt asks for a password without showing what is typed.
type passwordPrompt func(prompt string) (string, error)

func runPasswd(_ context.Context, args []string, t terminal) error {
	return passwd(args, t, askPassword(os.Stdin, t.err))
}

const passwdWords = "run `sluice help passwd`: add FILE NAME, rm FILE NAME, list FILE or check FILE NAME"

func passwd(args []string, t terminal, ask passwordPrompt) error {
	words, err := parseMixed(flags("passwd"), args)
	if err != nil {
		return helpOn(err, "passwd", t)
	}
	if len(words) == 2 && words[0] == "list" {
		return listUsers(words[1], t)
	}
	if len(words) != 3 {
		return usage("passwd takes a verb, a file and the name of a user", passwdWords)
	}
	verb, path, name := words[0], words[1], words[2]
	switch verb {
	case "add":
		return addUser(path, name, t, ask)
	case "rm":
		return removeUser(path, name, t)
	case "check":
		return checkUser(path, name, t, ask)
	}
	return usage("there is no `sluice passwd %s`", passwdWords, verb)
}

func listUsers(path string, t terminal) error {
	f, err := auth.ReadFile(path)
	if err != nil {
		return err
	}
	for _, name := range f.Names() {
		fmt.Fprintln(t.out, name)
	}
	return nil
}

func addUser(path, name string, t terminal, ask passwordPrompt) error {
	if err := auth.CheckName(name); err != nil {
		return err
	}
	f, err := auth.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		f, err = &auth.File{}, nil
	}
	if err != nil {
		return err
	}
	password, err := ask("Password of " + name + ": ")
	if err != nil {
		return err
	}
	again, err := ask("Once more: ")
	if err != nil {
		return err
	}
	if again != password {
		return errors.New("the two passwords differ, nothing was changed")
	}
	hash, err := auth.Hash(password)
	if err != nil {
		return err
	}
	_, known := f.Hash(name)
	f.Set(name, hash)
	if err := f.Write(path); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s: %s %s\n", path, map[bool]string{false: "added", true: "changed the password of"}[known], name)
	return nil
}

func removeUser(path, name string, t terminal) error {
	f, err := auth.ReadFile(path)
	if err != nil {
		return err
	}
	if !f.Remove(name) {
		return fmt.Errorf("%s has no user %q", path, name)
	}
	if err := f.Write(path); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s: removed %s\n", path, name)
	return nil
}

func checkUser(path, name string, t terminal, ask passwordPrompt) error {
	f, err := auth.ReadFile(path)
	if err != nil {
		return err
	}
	hash, ok := f.Hash(name)
	if !ok {
		return fmt.Errorf("%s has no user %q", path, name)
	}
	password, err := ask("Password of " + name + ": ")
	if err != nil {
		return err
	}
	right, err := auth.Verify(hash, password)
	if err != nil {
		return err
	}
	if !right {
		return fmt.Errorf("this is not the password of %s", name)
	}
	fmt.Fprintf(t.out, "this is the password of %s\n", name)
	return nil
}

// askPassword asks at a terminal; of anything else the first line answers every
// question.
func askPassword(in *os.File, out io.Writer) passwordPrompt {
	if term.IsTerminal(int(in.Fd())) {
		return func(prompt string) (string, error) {
			fmt.Fprint(out, prompt)
			password, err := term.ReadPassword(int(in.Fd()))
			fmt.Fprintln(out)
			return string(password), err
		}
	}
	first := sync.OnceValues(func() (string, error) { return bufio.NewReader(in).ReadString('\n') })
	return func(string) (string, error) {
		line, err := first()
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return strings.TrimRight(line, "\r\n"), err
	}
}
