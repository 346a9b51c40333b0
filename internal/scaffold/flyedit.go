package scaffold

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

// FlyEdit is what a fly.toml must say. Whatever else is in the file is its owner's:
// sizes, concurrency, regions, other services, comments, order and layout.
type FlyEdit struct {
	Answers  Answers
	Main     Main
	Whole    []byte            // the file as init would write it, from which values are taken
	Comments flyconf.Comments  // why, above what is new
	Stale    flyconf.Comments  // those of the other mode, which say what is no longer so
	Env      map[string]string // that must be
	Image    map[string]string // what the image sets
	Groups   map[string]string // process groups; nil: none
	Web      string            // the group with the volume; empty: the only one
}

func (f *Facts) flyEdit(a Answers, m Main, whole []byte) *FlyEdit {
	return &FlyEdit{
		Answers: a, Main: m, Whole: whole,
		Comments: f.flyComments(a, m), Stale: f.flyComments(f.otherMode(a, m), m),
		Env: f.env(a, m), Image: f.imageEnv(), Groups: f.groups(a), Web: f.web(a, m),
	}
}

// flyEditor is one edit on its way.
type flyEditor struct {
	*FlyEdit
	doc, whole *flyconf.Document
	config     *flyconf.Config // as the file was
	err        error           // the first one; nothing is done after it
}

// to returns the file with what must be right.
func (e *FlyEdit) to(data []byte) ([]byte, error) {
	before := data
	data = e.recomment(data)
	doc, err := flyconf.ParseDocument("fly.toml", data)
	if err != nil {
		return nil, shown(err, data)
	}
	config, err := doc.Config()
	if config == nil {
		return nil, shown(err, data)
	}
	if config.App != "" && config.App != e.Answers.App {
		return nil, fmt.Errorf("fly.toml is that of the app %q, not of %q: --app %s keeps it, --force writes one for %s, with volumes of its own", config.App, e.Answers.App, config.App, e.Answers.App)
	}
	whole, err := flyconf.ParseDocument("fly.toml", e.Whole)
	if err != nil {
		return nil, err
	}
	editor := &flyEditor{FlyEdit: e, doc: doc, whole: whole, config: config}
	editor.top()
	editor.build()
	editor.deploy()
	editor.env()
	editor.processes()
	editor.mounts()
	editor.services()
	if editor.err != nil {
		// What is wrong with the file says it better.
		return nil, cmp.Or(e.valid(before, before), editor.err)
	}
	return doc.Bytes(), e.valid(before, doc.Bytes())
}

// valid refuses a file that flyctl would refuse, or read as something else than it
// looks like: what is wrong with it is not for init to guess.
// The places are those of the file before the edit.
func (*FlyEdit) valid(before, after []byte) error {
	left := flyErrors(after)
	if len(left) == 0 {
		return nil
	}
	var list []error
	for _, p := range flyErrors(before) {
		if slices.ContainsFunc(left, func(l *flyconf.Problem) bool { return l.Key == p.Key && l.Message == p.Message }) {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		before = after
		for _, p := range left {
			list = append(list, p)
		}
	}
	return fmt.Errorf("%w\nmend fly.toml first, or overwrite it with --force", shown(errors.Join(list...), before))
}

// flyErrors are the errors of a fly.toml that can be read.
func flyErrors(data []byte) []*flyconf.Problem {
	config, err := flyconf.Parse("fly.toml", data)
	if config == nil {
		return flyconf.Problems(err)
	}
	return slices.DeleteFunc(config.Problems(), func(p *flyconf.Problem) bool { return p.Severity != flyconf.SeverityError })
}

// set gives a key a value. What is new gets the comment that says why.
func (e *flyEditor) set(key string, value any) {
	if e.err != nil {
		return
	}
	there := e.doc.Has(key)
	if e.err = e.doc.Set(key, value); e.err != nil || there {
		return
	}
	if note := e.Comments[unindexed.ReplaceAllString(key, "")]; note != "" {
		e.err = e.doc.Comment(key, note)
	}
}

var unindexed = regexp.MustCompile(`\[\d+\]`)

// take gives a key the value that init would write.
func (e *flyEditor) take(key string) { e.takeFrom(key, key) }

func (e *flyEditor) takeFrom(key, from string) {
	if value, ok := e.whole.Get(from); ok {
		e.set(key, value)
	}
}

func (e *flyEditor) remove(key string) {
	if e.err == nil {
		e.err = e.doc.Remove(key)
	}
}

func (e *flyEditor) top() {
	for _, key := range []string{"app", "primary_region"} {
		e.take(key)
	}
	if e.config.KillSignal == "" {
		e.take("kill_signal")
	}
	e.killTimeout()
	e.restart()
}

// build has the image built by the Dockerfile.
func (e *flyEditor) build() {
	if b := e.config.Build; b == nil || b.Builder == "" && b.Builtin == "" {
		return
	}
	for _, key := range []string{"builder", "buildpacks", "builtin", "settings"} {
		e.remove("build." + key)
	}
	e.removeEmpty("build")
}

// removeEmpty takes a table or a list out that holds nothing any more.
func (e *flyEditor) removeEmpty(key string) {
	if e.err != nil {
		return
	}
	rest, _ := e.doc.Get(key)
	switch v := rest.(type) {
	case map[string]any:
		if len(v) == 0 {
			e.remove(key)
		}
	case []any:
		if len(v) == 0 {
			e.remove(key)
		}
	}
}

// deploy takes out what cannot be used with a volume.
func (e *flyEditor) deploy() {
	d := e.config.Deploy
	if d == nil {
		return
	}
	if d.Strategy == "canary" || d.Strategy == "bluegreen" {
		e.take("deploy.strategy")
	}
	if !migratingCommand.MatchString(d.ReleaseCommand) {
		return
	}
	for _, key := range []string{"release_command", "release_command_timeout", "release_command_vm"} {
		e.remove("deploy." + key)
	}
	e.removeEmpty("deploy")
}

// env has the variables name the database and the port. What stands around the
// path, such as ?_fk=1, is the app's choice.
func (e *flyEditor) env() {
	d := e.Main.Database
	variable := d.variable()
	for _, name := range slices.Sorted(maps.Keys(e.Env)) {
		key, value := flyconf.PathOf("env", name), e.Env[name]
		have, there := e.config.Env[name]
		switch {
		case name == variable && name != d.DirVar:
			e.database(name, value)
		case name == variable && d.in(name, have) == e.Answers.DB:
			// However it is written.
		case name == "PORT" && !there && !e.Main.ReadsPort && e.Main.PortReason != "":
			// It does not care.
		case (name == graceVar || name == migrateFromVar) && there, have == value && there:
		default:
			e.set(key, value)
		}
	}
	for _, name := range []string{entrypointDB, databaseURL} {
		if name != variable && pathOf(e.config.Env[name]) != "" {
			e.database(name, e.Answers.DB)
		}
	}
	e.forget()
}

// database has a variable name the database.
func (e *flyEditor) database(name, value string) {
	have := e.config.Env[name]
	db := pathOf(have)
	switch {
	case db == e.Answers.DB:
		return
	case db != "" && strings.Count(have, db) == 1:
		value = strings.Replace(have, db, e.Answers.DB, 1)
	}
	e.set(flyconf.PathOf("env", name), value)
}

func (e *flyEditor) processes() {
	if len(e.Groups) > 0 && len(e.config.Processes) == 0 {
		e.take("processes")
	}
	for _, name := range slices.Sorted(maps.Keys(e.config.Processes)) {
		if command, ok := e.Groups[name]; ok && command != e.config.Processes[name] {
			e.set(flyconf.PathOf("processes", name), command)
		}
	}
}

// mounts has the volume of the group that needs it, and of no group that there is
// not. Its name and its place stay.
func (e *flyEditor) mounts() {
	at, serving := -1, 0
	for i, m := range e.config.Mounts {
		if e.Web == "" && len(m.Processes) == 0 || slices.Contains(m.Processes, e.Web) || e.Web != "" && len(m.Processes) == 0 && e.config.DefaultGroup() == e.Web {
			at = i
			serving++
		}
	}
	switch {
	case serving > 1:
		e.err = errors.Join(e.err, fmt.Errorf("fly.toml has %d mounts for the same machines, which can have one volume: remove the others", serving))
		return
	case at < 0 && len(e.config.Mounts) == 1 && len(e.config.Processes) == 0:
		at = 0 // it is for a group that there is not
	}
	if at < 0 {
		e.takeFrom(fmt.Sprintf("mounts[%d]", len(e.config.Mounts)), "mounts[0]")
		return
	}
	m, key := e.config.Mounts[at], fmt.Sprintf("mounts[%d].", at)
	switch {
	case e.Web == "" && len(m.Processes) > 0:
		e.remove(key + "processes")
	case e.Web != "" && !slices.Contains(m.Processes, e.Web):
		e.set(key+"processes", append([]string{e.Web}, m.Processes...))
	}
	for _, name := range []string{"source", "destination"} {
		e.takeFrom(key+name, "mounts[0]."+name)
	}
	if m.InitialSizeGB != e.Answers.SizeGB {
		e.takeFrom(key+"initial_size", "mounts[0].initial_size")
	}
	e.extend(m, key)
	if m.SnapshotRetentionDays == 0 && (m.ScheduledSnapshots == nil || *m.ScheduledSnapshots) {
		e.takeFrom(key+"snapshot_retention", "mounts[0].snapshot_retention")
	}
}

// extend has the volume grow, or not: a part of the three keys does nothing, nor does
// a limit that the volume's size has reached.
func (e *flyEditor) extend(m flyconf.Mount, key string) {
	parts := []struct {
		name string
		have int
	}{
		{"auto_extend_size_threshold", m.AutoExtendThresholdPercent},
		{"auto_extend_size_increment", m.AutoExtendIncrementGB},
		{"auto_extend_size_limit", m.AutoExtendLimitGB},
	}
	set := 0
	for _, part := range parts {
		if part.have != 0 {
			set++
		}
	}
	if set == 0 {
		return
	}
	reached := m.AutoExtendLimitGB != 0 && m.AutoExtendLimitGB <= e.Answers.SizeGB
	for _, part := range parts {
		name := "mounts[0]." + part.name
		switch {
		case !e.whole.Has(name): // the largest volume there is
			e.remove(key + part.name)
		case part.have == 0 || reached && part.name == "auto_extend_size_limit":
			e.takeFrom(key+part.name, name)
		}
	}
}

// services has requests reach what listens, and in LiteFS mode never a machine that
// slept through writes.
func (e *flyEditor) services() {
	service, list := e.config.HTTPService, e.config.Services
	if service == nil && len(list) == 0 {
		e.take("http_service")
		return
	}
	if service != nil {
		e.service("http_service", service.Processes)
		e.awake("http_service", service.AutoStop, service.AutoStart)
		e.checks()
	}
	for i, s := range list {
		key := fmt.Sprintf("services[%d]", i)
		if service == nil && s.InternalPort == list[0].InternalPort {
			e.service(key, s.Processes)
		}
		e.awake(key, s.AutoStop, s.AutoStart)
	}
	if service == nil {
		e.serviceChecks(list[0].HTTPChecks)
	}
}

// serviceChecks does what checks does, for the other form of a service.
func (e *flyEditor) serviceChecks(checks []flyconf.ServiceHTTPCheck) {
	litefs := slices.IndexFunc(checks, func(c flyconf.ServiceHTTPCheck) bool { return c.Path == litefsHealth })
	switch {
	case e.Answers.proxied() && litefs < 0, e.Answers.Mode == LiteFS && len(checks) == 0:
		e.takeFrom(fmt.Sprintf("services[0].http_checks[%d]", len(checks)), "http_service.checks[0]")
	case e.Answers.Mode == LiteFS && !e.Answers.proxied() && litefs == 0 && len(checks) == 1:
		e.takeFrom("services[0].http_checks[0].path", "http_service.checks[0].path")
	case !e.Answers.proxied() && litefs >= 0:
		e.remove(fmt.Sprintf("services[0].http_checks[%d]", litefs))
		e.removeEmpty("services[0].http_checks")
	}
}

// service mends one that the app answers.
func (e *flyEditor) service(key string, processes []string) {
	e.set(key+".internal_port", e.Answers.listens())
	if e.Web != "" && len(processes) == 0 {
		e.set(key+".processes", []string{e.Web})
	}
}

// awake keeps the proxy from stopping and starting machines of LiteFS, for any
// service.
func (e *flyEditor) awake(key, stop string, start *bool) {
	if e.Answers.Mode != LiteFS {
		return
	}
	if stop != "off" {
		e.takeFrom(key+".auto_stop_machines", "http_service.auto_stop_machines")
	}
	if start == nil || *start {
		e.takeFrom(key+".auto_start_machines", "http_service.auto_start_machines")
	}
}

// checks has LiteFS's own health asked where its proxy answers, else the app's where
// there is LiteFS, and an app that redirects http asked as the proxy would.
func (e *flyEditor) checks() {
	checks := e.config.HTTPService.Checks
	litefs := slices.IndexFunc(checks, func(c flyconf.HTTPCheck) bool { return c.Path == litefsHealth })
	// With LiteFS a machine is to be asked something, if not its proxy then the app.
	last := litefs == 0 && len(checks) == 1 && e.Answers.Mode == LiteFS
	for i, c := range checks {
		if i == litefs && !e.Answers.proxied() && !last {
			continue
		}
		forwarded := false
		for name := range c.Headers {
			forwarded = forwarded || strings.EqualFold(name, "X-Forwarded-Proto")
		}
		if !forwarded && e.config.HTTPService.ForceHTTPS && c.Protocol != "https" {
			e.set(fmt.Sprintf("http_service.checks[%d].headers.X-Forwarded-Proto", i), "https")
		}
	}
	switch {
	case !e.Answers.proxied() && last:
		e.takeFrom("http_service.checks[0].path", "http_service.checks[0].path")
	case e.Answers.proxied() && litefs < 0, e.Answers.Mode == LiteFS && len(checks) == 0:
		e.takeFrom(fmt.Sprintf("http_service.checks[%d]", len(checks)), "http_service.checks[0]")
	case !e.Answers.proxied() && litefs >= 0: // there is nobody to answer it
		e.remove(fmt.Sprintf("http_service.checks[%d]", litefs))
		e.removeEmpty("http_service.checks")
	}
}
