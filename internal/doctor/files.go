package doctor

import (
	"errors"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

// Files are the files of a report while they are mended. A repair asks for the one
// that it edits; what cannot be edited is an error that says so.
type Files struct {
	app        *App
	fly        *flyconf.Document
	docker     *flyconf.Dockerfile
	litefs     *flyconf.LiteFSDocument
	ignore     []byte
	ignoreName string
}

var errNotThere = errors.New("the file is not there")

// Fly is fly.toml for edits.
func (f *Files) Fly() (*flyconf.Document, error) {
	if f.fly != nil {
		return f.fly, nil
	}
	if f.app.Fly == nil {
		return nil, errNotThere
	}
	d, err := flyconf.ParseDocument(f.app.Fly.Name, f.app.Fly.Data)
	f.fly = d
	return d, err
}

// Docker is the Dockerfile for edits.
func (f *Files) Docker() (*flyconf.Dockerfile, error) {
	if f.docker != nil {
		return f.docker, nil
	}
	if f.app.Docker == nil {
		return nil, errNotThere
	}
	d, err := flyconf.ParseDockerfile(f.app.Docker.Name, f.app.Docker.Data)
	f.docker = d
	return d, err
}

// LiteFS is litefs.yml for edits.
func (f *Files) LiteFS() (*flyconf.LiteFSDocument, error) {
	if f.litefs != nil {
		return f.litefs, nil
	}
	if f.app.LiteFS == nil {
		return nil, errNotThere
	}
	d, err := flyconf.ParseLiteFSDocument(f.app.LiteFS.Name, f.app.LiteFS.Data)
	f.litefs = d
	return d, err
}

// AddIgnore adds patterns to the .dockerignore, which is made where there is none.
func (f *Files) AddIgnore(comment string, patterns ...string) {
	if f.ignore == nil {
		f.ignoreName = f.app.buildFile("ignorefile", ".dockerignore")
		if f.app.Ignore != nil {
			f.ignore = append(f.ignore, f.app.Ignore.Data...)
		}
	}
	text, end := string(f.ignore), "\n"
	if strings.Contains(text, "\r\n") {
		end = "\r\n"
	}
	have := map[string]bool{}
	for line := range strings.Lines(text) {
		have[strings.TrimSpace(line)] = true
	}
	var add []string
	for _, p := range patterns {
		if !have[p] {
			add = append(add, p)
		}
	}
	if len(add) == 0 {
		return
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += end
	}
	if text != "" {
		text += end
	}
	f.ignore = []byte(text + "# " + comment + end + strings.Join(add, end) + end)
}

// changed are the files that differ from what was read, by name.
func (f *Files) changed() map[string][]byte {
	out := map[string][]byte{}
	add := func(name string, data []byte) {
		if string(f.app.sources[name]) != string(data) {
			out[name] = data
		}
	}
	if f.fly != nil {
		add(f.app.Fly.Name, f.fly.Bytes())
	}
	if f.docker != nil {
		add(f.app.Docker.Name, f.docker.Bytes())
	}
	if f.litefs != nil {
		add(f.app.LiteFS.Name, f.litefs.Bytes())
	}
	if f.ignore != nil {
		add(f.ignoreName, f.ignore)
	}
	return out
}

// filesText is what the files hold at a time.
type filesText struct{ fly, docker, litefs, ignore []byte }

func (f *Files) text() filesText {
	var t filesText
	if f.fly != nil {
		t.fly = f.fly.Bytes()
	}
	if f.docker != nil {
		t.docker = f.docker.Bytes()
	}
	if f.litefs != nil {
		t.litefs = f.litefs.Bytes()
	}
	t.ignore = f.ignore
	return t
}

// restore takes back what was done since. A file that was opened since then is
// opened anew when it is asked for.
func (f *Files) restore(t filesText) {
	if t.fly == nil || f.fly != nil && string(f.fly.Bytes()) != string(t.fly) {
		f.fly = nil
		if t.fly != nil {
			f.fly, _ = flyconf.ParseDocument(f.app.Fly.Name, t.fly) // it was one before
		}
	}
	if t.docker == nil || f.docker != nil && string(f.docker.Bytes()) != string(t.docker) {
		f.docker = nil
		if t.docker != nil {
			f.docker, _ = flyconf.ParseDockerfile(f.app.Docker.Name, t.docker)
		}
	}
	if t.litefs == nil || f.litefs != nil && string(f.litefs.Bytes()) != string(t.litefs) {
		f.litefs = nil
		if t.litefs != nil {
			f.litefs, _ = flyconf.ParseLiteFSDocument(f.app.LiteFS.Name, t.litefs)
		}
	}
	f.ignore = t.ignore
}
