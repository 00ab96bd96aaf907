package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

type configShow struct {
	settings
}

func (configShow) Help() string {
	return "Lists all settings as keys of the configuration file. Secrets are shown as set or not set. The settings are checked as `proofline up` would check them."
}

func (c *configShow) Run(ctx context.Context, k *kong.Context) error {
	for _, f := range k.Selected().Flags {
		if f.Name == "help" || f.Name == "config" || f.Name == "version" {
			continue
		}
		value := withoutPassword(fmt.Sprint(k.FlagValue(f)))
		if isSecret(f.Name) {
			value = map[bool]string{true: "(not set)", false: "(set)"}[value == ""]
		}
		env := ""
		if len(f.Envs) > 0 {
			env = f.Envs[0]
		}
		from := "default"
		if _, ok := os.LookupEnv(env); ok {
			from = env
		} else if raw := strings.Trim(fmt.Sprint(k.FlagValue(f)), "[]"); f.Set && raw != f.Default {
			from = "flag or file"
		}
		fmt.Printf("%s: %s\n    %s\n    from: %s; environment: %s\n", f.Name, value, strings.TrimSpace(f.Help), from, env)
	}
	decoders, err := c.Decode.describe()
	if err == nil {
		fmt.Println(decoders)
	}
	// In the order in which `proofline up` comes to them.
	errs := []error{err, c.validate(true)}
	if (c.Webhook.URL == "") == (c.Webhook.Secret == "") && (c.Webhook.TestURL == "") == (c.Webhook.TestSecret == "") {
		errs = append(errs, c.checkWebhook())
	}
	if _, err := c.policy(); err != nil {
		errs = append(errs, err)
	}
	if err := c.checkKeyring(ctx); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return exitError{code: 3, msg: err.Error()}
	}
	return nil
}

func isSecret(name string) bool {
	return strings.HasSuffix(name, "password") || strings.HasSuffix(name, "secret") || strings.HasSuffix(name, "secret-key") || strings.HasSuffix(name, "token") || strings.HasSuffix(name, "token")
}

// In addresses: what stands between the user's name and the last '@' of the
// authority, and a password among the parameters.
var (
	userPassword  = regexp.MustCompile(`(://[^:/?#@]*:)[^/?#]*@`)
	queryPassword = regexp.MustCompile(`((?i:password|secret|token|key)=)[^&\s]*`)
)

// withoutPassword blots out the password in an address such as a DSN.
func withoutPassword(address string) string {
	return queryPassword.ReplaceAllString(userPassword.ReplaceAllString(address, "$1(set)@"), "$1(set)")
}
