package page

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// ActHeader comes with every request that does something. A site of another origin can
// send it only after asking by a preflight, which nobody answers here.
const ActHeader = "Flysql-Page"

// policy lets the page run its own files, and nothing else: no text becomes HTML or a
// script, and nobody frames it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func protect(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// refused says why a request is none of the page's; "" where it is.
func refused(r *http.Request, prefix string) (status int, why string) {
	if !isLocal(r.Host) {
		return http.StatusForbidden, "this page is for localhost only: ask for http://localhost, not for the name of another host"
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || !strings.EqualFold(u.Host, r.Host) {
			return http.StatusForbidden, "this comes from a page of another origin"
		}
	}
	acts := r.Method != http.MethodGet && r.Method != http.MethodHead
	below := strings.TrimPrefix(r.URL.Path, prefix)
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none": // curl, the page, the address bar
	default: // a link from elsewhere may lead to the page, and that is all
		if acts || below != "" && below != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			return http.StatusForbidden, "this comes from a page of another origin"
		}
	}
	if acts && r.Header.Get(ActHeader) == "" {
		return http.StatusForbidden, "the header " + ActHeader + " is missing: with curl, add -H '" + ActHeader + ": 1'"
	}
	return 0, ""
}

// isLocal tells whether a Host is one that leads to this machine whoever answers for
// names: another site's name, made to lead to 127.0.0.1, would let that site in.
func isLocal(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}
