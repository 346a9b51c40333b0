package page

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/flysql/flysql/internal/dev"
)

const (
	sendTime  = time.Minute
	sendShown = 64 << 10 // of the answer's body
)

// sending is a request to the app that the page's user has made up.
type sending struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Region string `json:"region"` // "" is that of those who do not say
	Body   string `json:"body"`
	Type   string `json:"type"` // of the body
}

// sent is the app's answer to it.
type sent struct {
	Status  int         `json:"status"`
	MS      float64     `json:"ms"`
	Header  http.Header `json:"header"`
	Body    string      `json:"body"`
	Cut     bool        `json:"cut"` // there was more
	Request string      `json:"id"`  // Fly-Request-Id, by which it is found among the requests
}

// send asks the app by way of the edge, as a client in that region. A browser's own
// request to another region's name would be one to another origin.
func (p *Page) send(w http.ResponseWriter, r *http.Request) {
	var s sending
	if !readJSON(w, r, &s) {
		return
	}
	bad := func(why string) { writeJSON(w, http.StatusBadRequest, answer{Error: why}) }
	target, why := target(p.source.State(), s)
	if why != "" {
		bad(why)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), sendTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, strings.ToUpper(s.Method), target.String(), strings.NewReader(s.Body))
	if err != nil {
		bad(err.Error())
		return
	}
	if s.Type != "" {
		req.Header.Set("Content-Type", s.Type)
	}
	begun := time.Now()
	res, err := edgeClient.Do(req)
	if err != nil {
		writeJSON(w, http.StatusBadGateway, answer{Error: err.Error()})
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, sendShown+1))
	if err != nil {
		writeJSON(w, http.StatusBadGateway, answer{Error: "read the answer: " + err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, sent{
		Status: res.StatusCode, MS: float64(time.Since(begun).Microseconds()) / 1000, Header: res.Header,
		Body: strings.ToValidUTF8(string(body[:min(len(body), sendShown)]), "\ufffd"), Cut: len(body) > sendShown,
		Request: res.Header.Get("Fly-Request-Id"),
	})
}

// target is the URL to ask: the session's own edge, whatever the path says.
func target(st dev.State, s sending) (target *url.URL, why string) {
	base := st.URL
	if s.Region != "" {
		i := slices.IndexFunc(st.Regions, func(g dev.Region) bool { return g.Code == s.Region })
		if i < 0 {
			return nil, "there is no region " + s.Region
		}
		base = st.Regions[i].URL
	}
	if !strings.HasPrefix(s.Path, "/") {
		return nil, "a path begins with /"
	}
	edge, err := url.Parse(base)
	if err != nil || !isLocal(edge.Host) {
		return nil, "the session has no edge at a local address"
	}
	asked, err := url.ParseRequestURI(s.Path)
	if err != nil {
		return nil, "the path is not one: " + err.Error()
	}
	edge.Path, edge.RawPath, edge.RawQuery = asked.Path, asked.RawPath, asked.RawQuery
	if strings.HasPrefix(s.Path, "//") { // ParseRequestURI takes the first name for a host
		return nil, "a path begins with one /"
	}
	return edge, ""
}

// edgeClient finds names under localhost itself, which not every resolver does, and
// follows no redirect: what is shown is the app's own answer.
var edgeClient = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err == nil && strings.HasSuffix(host, "localhost") {
				address = net.JoinHostPort("127.0.0.1", port)
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	},
}
