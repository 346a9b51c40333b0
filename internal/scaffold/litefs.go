package scaffold

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"strconv"
	"text/template"

	"github.com/flysql/flysql/flyconf"
)

// LiteFSImage is where litefs is copied from: Fly's own image, built with the Go that
// its HALT lock needs.
const LiteFSImage = "flyio/litefs:0.5.14"

const (
	litefsBinary = "/usr/local/bin/litefs"
	litefsConfig = "/etc/litefs.yml" // where flysql-entrypoint looks for it
)

// litefsPackages are what LiteFS needs of the distribution.
var litefsPackages = []string{"ca-certificates", "fuse3"}

// litefsData is where LiteFS keeps its own files.
func litefsData(a Answers) string { return cmp.Or(a.Data, path.Join(a.mount(), "litefs")) }

// litefsPath is where litefs.yml lies in the repository.
func (f *Facts) litefsPath() string {
	if f.LiteFS != nil {
		return f.LiteFS.Path
	}
	return litefsFiles[0]
}

// renderLiteFS writes litefs.yml.
func (f *Facts) renderLiteFS(a Answers) (File, error) {
	text, err := template.ParseFS(templates, "templates/litefs.yml.tmpl")
	if err != nil {
		return File{}, err
	}
	var b bytes.Buffer
	if err := text.Execute(&b, struct {
		App, DB, Name, FUSE, Data, Health string
		API, Proxy, Port                  int
	}{a.App, a.DB, path.Base(a.DB), a.dir(), litefsData(a), litefsHealth, litefsPort, a.Proxy, a.Port}); err != nil {
		return File{}, err
	}
	if err := checkLiteFS("litefs.yml", b.Bytes()); err != nil {
		return File{}, fmt.Errorf("the litefs.yml of flysql init: %w", err)
	}
	return File{Path: f.litefsPath(), Content: b.Bytes(), Edit: newLiteFSEdit(a, f.litefsPath(), f.machineEnv)}, nil
}

// checkLiteFS reports what LiteFS would not take.
func checkLiteFS(name string, data []byte) error {
	config, err := flyconf.ParseLiteFS(name, data, nil)
	if err == nil {
		err = config.Validate()
	}
	return shown(err, data)
}

// LiteFSEdit is what a litefs.yml must say, whatever else is in it.
type LiteFSEdit struct {
	Name   string // of the file
	Values []Value
	// Env are the variables of the machines, by which a value may be right as it is.
	Env func(name string) (value string, known bool)
}

// Value is what a key must have.
type Value struct {
	Key   string
	Value any // nil: the key must not be there
	// Keep: a value that is there is the user's choice.
	Keep bool
}

func newLiteFSEdit(a Answers, name string, env func(string) (string, bool)) *LiteFSEdit {
	values := []Value{
		{Key: "fuse.dir", Value: a.dir()},
		{Key: "fuse.allow-other", Value: true},
		{Key: "data.dir", Value: litefsData(a)},
		{Key: "lease.type", Value: "consul", Keep: true},
		{Key: "lease.hostname", Value: "${FLY_MACHINE_ID}", Keep: true},
		{Key: "lease.advertise-url", Value: "http://${FLY_MACHINE_ID}.vm.${FLY_APP_NAME}.internal:" + strconv.Itoa(litefsPort), Keep: true},
		{Key: "lease.candidate", Value: "${FLY_REGION == PRIMARY_REGION}", Keep: true},
		{Key: "lease.promote", Value: false},
		{Key: "lease.consul.url", Value: "${FLY_CONSUL_URL}", Keep: true},
		{Key: "lease.consul.key", Value: "litefs/${FLY_APP_NAME}", Keep: true},
	}
	if a.proxied() {
		values = append(values,
			Value{Key: "proxy.addr", Value: ":" + strconv.Itoa(a.Proxy)},
			Value{Key: "proxy.target", Value: "localhost:" + strconv.Itoa(a.Port)},
			Value{Key: "proxy.db", Value: path.Base(a.DB)})
	} else {
		values = append(values, Value{Key: "proxy"})
	}
	return &LiteFSEdit{Name: name, Env: env, Values: append(values, Value{Key: "exec"})}
}

// to returns the file with what must be right; all else stays as it is.
func (e *LiteFSEdit) to(data []byte) ([]byte, error) {
	config, err := flyconf.ParseLiteFS(e.Name, data, e.Env)
	if err != nil {
		return nil, fmt.Errorf("%w\nmend %s first, or overwrite it with --force", shown(err, data), e.Name)
	}
	doc, err := flyconf.ParseLiteFSDocument(e.Name, data)
	if err != nil {
		return nil, shown(err, data)
	}
	for _, v := range e.Values {
		switch _, there := doc.Get(v.Key); {
		case v.Value == nil:
			err = doc.Remove(v.Key)
		case there && (v.Keep || sameAddress(v, config) || samePath(v, config)):
			continue
		case v.Key == "lease.consul.url" || v.Key == "lease.consul.key":
			if config.Lease.Type == "static" {
				continue
			}
			fallthrough
		default:
			err = doc.Set(v.Key, v.Value)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", e.Name, v.Key, err)
		}
	}
	if err := checkLiteFS(e.Name, doc.Bytes()); err != nil {
		return nil, err
	}
	return doc.Bytes(), nil
}

// samePath tells whether a name is as it must be, also by variables.
func samePath(v Value, config *flyconf.LiteFS) bool {
	have := map[string]string{"fuse.dir": config.FUSE.Dir, "data.dir": config.Data.Dir, "proxy.db": config.Proxy.DB}[v.Key]
	want, ok := v.Value.(string)
	return have != "" && ok && path.Clean(have) == want
}

// sameAddress tells whether an address of the proxy has the port that it must have,
// however it is written.
func sameAddress(v Value, config *flyconf.LiteFS) bool {
	have := map[string]string{"proxy.addr": config.Proxy.Addr, "proxy.target": config.Proxy.Target}[v.Key]
	want, ok := v.Value.(string)
	return have != "" && ok && portOf(have) == portOf(want)
}
