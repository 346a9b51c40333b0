package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
)

// errStopped is of a request that the end of a run has cut off.
var errStopped = errors.New("stopped")

// reason is why there is no answer, in words that are the same for all requests that have
// met with it: no port of this end, no path, nothing secret.
func (s *sender) reason(run, request context.Context, err error) error {
	var op *net.OpError
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var proxied *url.Error
	if errors.As(err, &proxied) {
		err = proxied.Err
	}
	switch {
	case run.Err() != nil:
		return errStopped
	case request.Err() != nil || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %v", s.options.Timeout)
	case errors.As(err, &dns):
		return fmt.Errorf("look up %s: %s", dns.Name, dns.Err)
	case errors.As(err, &certificate):
		return fmt.Errorf("the certificate is not good: %w", certificate.Err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection was closed before the answer's end")
	case errors.As(err, &op):
		return fmt.Errorf("%s: %s", op.Op, lastOf(op.Err))
	}
	return errors.New(short(err.Error(), 150))
}

// lastOf is the innermost cause: "connection refused".
func lastOf(err error) string {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return short(err.Error(), 150)
}

// short is a text of somebody else's that fits a line.
func short(text string, most int) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}
