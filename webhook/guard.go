package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"syscall"
)

// ErrAddress tells that the endpoint is, or resolves to, an address that webhooks may not
// reach.
var ErrAddress = errors.New("webhook address is not a public one")

// special are address blocks that are not plain hosts of the public internet
// (IANA special-purpose registries, RFC 6890 and successors), beyond those that
// netip tells by itself.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96",        // IPv4-compatible, deprecated
	"64:ff9b::/96", // NAT64 reaches IPv4, private parts included
	"64:ff9b:1::/48", "100::/64",
	"2001::/23", "2001:db8::/32", // Teredo and other protocol assignments, documentation
	"2002::/16", // 6to4 embeds an IPv4 address
	"3fff::/20", "5f00::/16", "fec0::/10",
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// public reports whether a is a host of the public internet.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() {
		return false // not loopback, link-local, multicast, unspecified, broadcast, RFC 1918, unique local
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// allowed applies the options to one address.
func (o Options) allowed(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if o.AllowPrivate {
		// Even then: link-local holds the cloud's metadata service.
		return a.IsValid() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !a.IsUnspecified()
	}
	for _, p := range o.AllowNets {
		if p.Contains(a) {
			return true
		}
	}
	return public(a)
}

// Control is the guard as a net.Dialer's Control, for other clients of addresses
// that come from a configuration.
func (o Options) Control(network, address string, c syscall.RawConn) error {
	return o.control(network, address, c)
}

// control is called with the very address that is about to be connected to,
// after resolution: a name that resolves to something else a moment later
// (rebinding) is judged by what it is now.
func (o Options) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !o.allowed(ap.Addr()) {
		return ErrAddress
	}
	return nil
}

// CheckURL refuses an endpoint that could never be delivered to: call it when
// one is configured. What a name resolves to is checked at each connection.
func (o Options) CheckURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || len(raw) > 2048 || u.Hostname() == "" || u.Opaque != "":
		return errors.New("webhook URL can not be parsed")
	case u.Scheme != "https" && !(u.Scheme == "http" && o.AllowHTTP):
		return errors.New("webhook URL must be https (plain http only with webhook.allow-private, for endpoints in your own network)")
	case u.User != nil || u.Fragment != "":
		return errors.New("webhook URL must not hold a user or a fragment")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !o.allowed(a) {
		return fmt.Errorf("webhook URL: %w", ErrAddress)
	}
	return nil
}

// dialer connects to allowed addresses only.
func (o Options) dialer() *net.Dialer {
	return &net.Dialer{Timeout: o.Timeout, Control: o.control}
}
