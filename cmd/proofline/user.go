package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/session"
)

type userCmd struct {
	Add           userAddCmd     `cmd:"" help:"Add an account. The password is asked for, or read from standard input."`
	List          userListCmd    `cmd:"" help:"List accounts and their roles."`
	SetRole       userRoleCmd    `cmd:"" name:"set-role" help:"Replace an account's roles; its logins end."`
	Disable       userDisableCmd `cmd:"" help:"Let an account in no more, and end its logins."`
	Enable        userEnableCmd  `cmd:"" help:"Let a disabled account in again."`
	ResetPassword userResetCmd   `cmd:"" name:"reset-password" help:"Set another password, and end the account's logins. Opens an account that too many wrong ones have closed."`
	ResetTOTP     userTOTPCmd    `cmd:"" name:"remove-authenticator" help:"Take an authenticator app away, for who has lost it."`
	Token         userTokenCmd   `cmd:"" help:"Make a login's token for a script, and show it once."`
}

func (userCmd) Help() string {
	return "Roles: " + roleText() + ". docs/access.md has what each may do. Each change is in the audit log."
}

func roleText() string {
	names := make([]string, 0, len(access.StaffRoles()))
	for _, r := range access.StaffRoles() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// readPassword asks on a terminal, twice where it is a new one, and otherwise
// reads a line of standard input. A flag would be seen by everybody on the
// machine, and stay in the shell's history. Ctrl-C ends the question at once.
func readPassword(ctx context.Context, prompt string, twice bool) (string, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(io.LimitReader(os.Stdin, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read password: %w", err)
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", exitError{code: 2, msg: "no password: type it at the terminal, or write it to standard input"}
		}
		return line, nil
	}
	ask := func(p string) (string, error) {
		fmt.Fprint(os.Stderr, p+": ")
		b, err := readHidden(ctx, fd)
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		return string(b), nil
	}
	one, err := ask(prompt)
	if err != nil || !twice {
		return one, err
	}
	two, err := ask("Again")
	if err == nil && one != two {
		err = exitError{code: 2, msg: "the two are not the same"}
	}
	return one, err
}

// readHidden reads a line that the terminal does not show. The terminal goes on
// reading after Ctrl-C, which the program takes for itself: so the wait is given up
// and what was typed is shown again.
func readHidden(ctx context.Context, fd int) ([]byte, error) {
	shown, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	type line struct {
		b   []byte
		err error
	}
	read := make(chan line, 1)
	go func() {
		b, err := term.ReadPassword(fd)
		read <- line{b, err}
	}()
	select {
	case l := <-read:
		return l.b, l.err
	case <-ctx.Done():
		_ = term.Restore(fd, shown)
		return nil, ctx.Err()
	}
}

func newPassword(ctx context.Context, name string) (string, error) {
	p, err := readPassword(ctx, "New password", true)
	if err != nil {
		return "", err
	}
	if err := access.CheckNewPassword(p, name); err != nil {
		return "", exitError{code: 2, msg: err.Error()}
	}
	return access.HashPassword(p), nil
}

func parseRoles(names []string) ([]access.Role, error) {
	rs, err := access.ParseRoles(names)
	if err != nil {
		return nil, exitError{code: 2, msg: err.Error()}
	}
	return rs, nil
}

// withAccount runs something on a named account of the store.
func (s settings) withAccount(ctx context.Context, name string, do func(*session.Store, session.Account) error) error {
	store, err := s.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	a, _, err := store.AccountByName(ctx, name)
	if errors.Is(err, session.ErrNotFound) {
		return exitError{code: 1, msg: fmt.Sprintf("there is no account %q", name)}
	}
	if err != nil {
		return err
	}
	return do(store, a)
}

type userAddCmd struct {
	Name string   `arg:"" help:"Name to log in with: letters, digits and . _ @ + -."`
	Role []string `required:"" help:"Role; may be given several times." placeholder:"ROLE"`
	JSON bool     `name:"json" help:"Write the account as JSON."`
	settings
}

func (c *userAddCmd) Run(ctx context.Context) error {
	roles, err := parseRoles(c.Role)
	if err != nil {
		return err
	}
	if _, err := session.AccountName(c.Name); err != nil {
		return exitError{code: 2, msg: err.Error()}
	}
	hash, err := newPassword(ctx, c.Name)
	if err != nil {
		return err
	}
	store, err := c.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	a, err := store.CreateAccount(ctx, operator, session.NewAccount{Name: c.Name, Roles: roles, PasswordHash: hash})
	if errors.Is(err, session.ErrTaken) {
		return exitError{code: 1, msg: fmt.Sprintf("there is an account %q already", c.Name)}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(os.Stdout, a)
	}
	fmt.Fprintf(os.Stderr, "account %s (%s) may log in at /console/login\n", a.Name, a.ID)
	return nil
}

type userListCmd struct {
	JSON bool `name:"json" help:"Write one JSON object per account."`
	settings
}

func (c *userListCmd) Run(ctx context.Context) error {
	store, err := c.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	as, err := store.Accounts(ctx)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, a := range as {
		if c.JSON {
			if err := writeJSON(os.Stdout, a); err != nil {
				return err
			}
			continue
		}
		state, by, last := "active", "password", "never"
		if !a.DisabledAt.IsZero() {
			state = "disabled"
		}
		if !a.Password {
			by = "identity provider"
		} else if a.TOTP {
			by = "password and app"
		}
		if !a.LoginAt.IsZero() {
			last = a.LoginAt.Format(time.RFC3339)
		}
		names := make([]string, len(a.Roles))
		for i, r := range a.Roles {
			names[i] = string(r)
		}
		rows = append(rows, []string{a.ID, a.Name, strings.Join(names, " "), state, by, last})
	}
	if !c.JSON {
		table(os.Stdout, []string{"id", "name", "roles", "state", "logs in by", "last login"}, rows)
	}
	return nil
}

type userRoleCmd struct {
	Name string   `arg:"" help:"Account."`
	Role []string `arg:"" help:"Its roles from now on."`
	settings
}

func (c *userRoleCmd) Run(ctx context.Context) error {
	roles, err := parseRoles(c.Role)
	if err != nil {
		return err
	}
	return c.withAccount(ctx, c.Name, func(s *session.Store, a session.Account) error {
		if !a.Password {
			fmt.Fprintln(os.Stderr, "note: the identity provider's groups give this account its roles anew at the next login")
		}
		return s.SetRoles(ctx, operator, a.ID, roles)
	})
}

type userDisableCmd struct {
	Name string `arg:"" help:"Account."`
	settings
}

func (c *userDisableCmd) Run(ctx context.Context) error {
	return c.withAccount(ctx, c.Name, func(s *session.Store, a session.Account) error { return s.DisableAccount(ctx, operator, a.ID) })
}

type userEnableCmd struct {
	Name string `arg:"" help:"Account."`
	settings
}

func (c *userEnableCmd) Run(ctx context.Context) error {
	return c.withAccount(ctx, c.Name, func(s *session.Store, a session.Account) error { return s.EnableAccount(ctx, operator, a.ID) })
}

type userResetCmd struct {
	Name string `arg:"" help:"Account."`
	settings
}

func (c *userResetCmd) Run(ctx context.Context) error {
	return c.withAccount(ctx, c.Name, func(s *session.Store, a session.Account) error {
		if !a.Password {
			return exitError{code: 1, msg: "this account logs in at the identity provider and has no password here"}
		}
		hash, err := newPassword(ctx, a.Name)
		if err != nil {
			return err
		}
		return s.SetPassword(ctx, operator, a.ID, hash)
	})
}

type userTOTPCmd struct {
	Name string `arg:"" help:"Account."`
	settings
}

func (c *userTOTPCmd) Run(ctx context.Context) error {
	return c.withAccount(ctx, c.Name, func(s *session.Store, a session.Account) error { return s.SetTOTP(ctx, operator, a.ID, nil) })
}

type userTokenCmd struct {
	Name string        `arg:"" help:"Account that the script acts as."`
	TTL  time.Duration `name:"ttl" help:"Time until the token expires." default:"1h"`
	settings
}

func (c *userTokenCmd) Run(ctx context.Context) error {
	if c.TTL < time.Minute || c.TTL > 90*24*time.Hour {
		return exitError{code: 2, msg: "ttl must be 1m to 2160h"}
	}
	return c.withAccount(ctx, c.Name, func(s *session.Store, a session.Account) error {
		l, secret, err := s.BeginLogin(ctx, a.ID, "token", c.TTL)
		if errors.Is(err, session.ErrNotFound) {
			return exitError{code: 1, msg: "the account is disabled"}
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "token of %s until %s, shown this once:\n", a.Name, l.ExpiresAt.Format(time.RFC3339))
		fmt.Println(secret)
		return nil
	})
}
