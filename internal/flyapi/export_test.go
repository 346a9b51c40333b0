package flyapi

import "net/http"

// NewOver is New, with requests sent by base rather than over a network.
func NewOver(c Config, base http.RoundTripper) (*Client, error) { return newClient(c, base) }

// ReadTries and LimitTries are how often a request is sent.
const (
	ReadTries  = readTries
	LimitTries = limitTries
)
