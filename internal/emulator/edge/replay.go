package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// replay is what a machine asks for in place of an answer.
// https://fly.io/docs/networking/dynamic-request-routing/
type replay struct {
	text      string // as the machine wrote it, but for what is secret
	wish      wish
	elsewhere bool
	state     string
	timeout   time.Duration // to reach a machine; 0 is any
	fallback  fallback
	transform *transform
	cache     *caching
}

// fallback is what becomes of a request whose replay fails.
type fallback string

const (
	noFallback fallback = ""            // the client gets an error
	forceSelf  fallback = "force_self"  // the machine that gave it on gets it back
	preferSelf fallback = "prefer_self" // it or another of the app
)

// transform changes a request on its way.
type transform struct {
	Path          string   `json:"path,omitempty"` // with the query
	DeleteHeaders []string `json:"delete_headers,omitempty"`
	SetHeaders    []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"set_headers,omitempty"`
}

// caching is what is to be remembered of a replay.
type caching struct {
	Prefix      string `json:"prefix,omitempty"`
	Seconds     int    `json:"ttl,omitempty"`
	Invalidate  bool   `json:"invalidate,omitempty"`
	AllowBypass bool   `json:"allow_bypass,omitempty"`
}

const (
	replayHeader = "Fly-Replay"
	replayJSON   = "application/vnd.fly.replay+json"
	// maxReplay bounds both forms.
	maxReplay = 64 << 10
)

// unparsed is PA03: "could not parse 'fly-replay' response header returned by app".
func unparsed(format string, args ...any) error {
	return &refusal{http.StatusBadGateway, "PA03: fly-replay: " + fmt.Sprintf(format, args...)}
}

// replayOf is what a response asks for, nil where it is for the client. Of both forms
// the header counts.
func replayOf(res *http.Response) (*replay, error) {
	if header := res.Header.Get(replayHeader); header != "" {
		if len(header) > maxReplay {
			return nil, unparsed("it has more than %d KB", maxReplay>>10)
		}
		r, err := parseReplay(header)
		if err != nil {
			return nil, err
		}
		r.cache = cachingOf(res.Header)
		return r, nil
	}
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || media != replayJSON {
		return nil, nil
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxReplay+1))
	if err != nil {
		return nil, unparsed("read the JSON form: %v", err)
	}
	if len(data) > maxReplay {
		return nil, unparsed("the JSON form has more than %d KB", maxReplay>>10)
	}
	return parseReplayJSON(data)
}

// parseReplay reads the header: key=value;key="a,b".
func parseReplay(header string) (*replay, error) {
	r := &replay{text: header}
	for field := range strings.SplitSeq(header, ";") {
		field = strings.TrimSpace(field)
		if field == "" {
			continue
		}
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return nil, unparsed("%s: %q has no value", header, field)
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		quoted := len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"'
		if quoted {
			value = value[1 : len(value)-1]
		}
		if key == "region" && !quoted && strings.Contains(value, ",") {
			return nil, unparsed("%s: a list of regions must be quoted", header)
		}
		if err := r.set(strings.ToLower(key), value); err != nil {
			return nil, unparsed("%s: %v", header, err)
		}
	}
	return r, r.check()
}

func (r *replay) set(key, value string) (err error) {
	switch key {
	case "instance":
		r.wish.instance = value
	case "prefer_instance":
		r.wish.prefer = value
	case "app":
		r.wish.app = value
	case "state":
		r.state = value
	case "region":
		r.wish.regions = regionList(value)
	case "elsewhere":
		if r.elsewhere, err = strconv.ParseBool(value); err != nil {
			return fmt.Errorf("elsewhere=%s: want true or false", value)
		}
	case "timeout":
		if r.timeout, err = time.ParseDuration(value); err != nil || r.timeout <= 0 {
			return fmt.Errorf("timeout=%s: want a duration such as 10s or 800ms", value)
		}
	case "fallback":
		switch r.fallback = fallback(value); r.fallback {
		case forceSelf, preferSelf:
		default:
			return fmt.Errorf("fallback=%s: want force_self or prefer_self", value)
		}
	default:
		return fmt.Errorf("there is no field %q", key)
	}
	return nil
}

// check finds what says nothing.
func (r *replay) check() error {
	w := &r.wish
	if w.instance == "" && w.prefer == "" && w.app == "" && w.regions == nil && !r.elsewhere {
		return unparsed("%s: it names no instance, region or app", r.text)
	}
	for _, value := range append([]string{r.state, w.instance, w.prefer, w.app}, w.regions...) {
		if strings.Contains(value, ";") || !printable(value) {
			return unparsed("%q must not contain ; or a control character", value)
		}
	}
	if r.transform == nil {
		return nil
	}
	for _, h := range r.transform.SetHeaders {
		if !isToken(h.Name) || !printable(h.Value) {
			return unparsed("transform.set_headers: %q is no header, or its value is none", h.Name)
		}
	}
	return nil
}

// printable tells whether a header can have a value.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// isToken tells whether a header can have a name: RFC 9110, section 5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
}

// maxRegions bounds a list of regions: more than Fly has, with its groups.
const maxRegions = 100

// regionList splits "iad, ord,us". It is never nil, and ends after maxRegions.
func regionList(list string) []string {
	regions := []string{}
	for r := range strings.SplitSeq(list, ",") {
		if r = strings.ToLower(strings.TrimSpace(r)); r != "" && len(regions) < maxRegions {
			regions = append(regions, r)
		}
	}
	return regions
}

// replayForm is the JSON form.
type replayForm struct {
	Region         string     `json:"region,omitempty"`
	Instance       string     `json:"instance,omitempty"`
	PreferInstance string     `json:"prefer_instance,omitempty"`
	App            string     `json:"app,omitempty"`
	State          string     `json:"state,omitempty"`
	Elsewhere      bool       `json:"elsewhere,omitempty"`
	Timeout        string     `json:"timeout,omitempty"`
	Fallback       string     `json:"fallback,omitempty"`
	Transform      *transform `json:"transform,omitempty"`
	Cache          *caching   `json:"cache,omitempty"`
	AllowBypass    bool       `json:"allow_bypass,omitempty"` // of the cache: the document does not say in which of the two objects
}

// parseReplayJSON reads the JSON form.
func parseReplayJSON(data []byte) (*replay, error) {
	var form replayForm
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&form); err != nil {
		return nil, unparsed("the JSON form: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, unparsed("the JSON form: more follows it")
	}
	r := &replay{text: form.shown(), elsewhere: form.Elsewhere, transform: form.Transform, cache: form.Cache}
	for _, f := range []struct{ key, value string }{
		{"region", form.Region}, {"instance", form.Instance}, {"prefer_instance", form.PreferInstance}, {"app", form.App},
		{"state", form.State}, {"timeout", form.Timeout}, {"fallback", form.Fallback},
	} {
		if f.value == "" {
			continue
		}
		if err := r.set(f.key, f.value); err != nil {
			return nil, unparsed("the JSON form: %v", err)
		}
	}
	if r.cache != nil {
		r.cache.AllowBypass = r.cache.AllowBypass || form.AllowBypass
	}
	if t := r.transform; t != nil && t.Path != "" && t.Path[0] != '/' {
		return nil, unparsed("transform.path %q must begin with /", t.Path)
	}
	return r, r.check()
}

// shown is the form as a log may have it: without the values that a header's shown has not,
// and without the query.
func (f replayForm) shown() string {
	if f.Transform != nil {
		t := *f.Transform
		t.Path, _, _ = strings.Cut(t.Path, "?")
		t.SetHeaders = slices.Clone(t.SetHeaders)
		for i, h := range t.SetHeaders {
			if isSecret(h.Name) {
				t.SetHeaders[i].Value = hidden(h.Value)
			}
		}
		f.Transform = &t
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(f) // strings and numbers cannot fail
	return strings.TrimSpace(b.String())
}

// source is fly-replay-src: who gave the request on.
func (r *replay) source(by Machine) string {
	text := "instance=" + by.ID + ";region=" + by.Region + ";t=" + strconv.FormatInt(time.Now().UnixMicro(), 10)
	if r.state != "" {
		text += ";state=" + r.state
	}
	return text
}

// Why a replay failed, as fly-replay-failed says it.
const (
	failedTimeout = "timeout"
	failedRetries = "retries_exhausted"
	failedNobody  = "no_candidate"
)

// failed is fly-replay-failed.
func (r *replay) failed(by Machine, reason string, took time.Duration, app string) string {
	var fields []string
	add := func(key, value string) { fields = append(fields, key+"="+value) }
	add("instance", r.wish.instance+r.wish.prefer) // there is one of them at most that makes sense
	if r.wish.app != "" {
		app = r.wish.app
	}
	add("app", app)
	add("region", strings.Join(r.wish.regions, ","))
	add("replay_source", by.ID)
	add("reason", reason)
	add("elapsed_ms", strconv.FormatInt(took.Milliseconds(), 10))
	return strings.Join(fields, ";")
}
