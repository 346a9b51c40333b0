package doctor

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/flysql/flysql/flyconf"
)

// repairOf is how a problem that flyconf found is mended; nil where there is no one
// right answer. It goes by the rule and the value, and does nothing where the value
// is another one by then.
func (c *checker) repairOf(p *flyconf.Problem) func(*Files) error {
	if c.LiteFS != nil && p.File == c.LiteFS.Name {
		if p.Rule == "FLY412" {
			return removeLiteFSCloud
		}
		return nil
	}
	if c.Fly == nil || p.File != c.Fly.Name || p.Key == "" || !strings.HasSuffix(p.File, ".toml") {
		return nil
	}
	set := c.valueRepair(p)
	if set == nil {
		return nil
	}
	return func(files *Files) error {
		fly, err := files.Fly()
		if err != nil {
			return err
		}
		return set(fly)
	}
}

// flyEdit is an edit of fly.toml.
type flyEdit func(*flyconf.Document) error

func (c *checker) valueRepair(p *flyconf.Problem) flyEdit {
	doc := c.document()
	if doc == nil {
		return nil
	}
	value, ok := doc.Get(p.Key)
	if !ok {
		return nil
	}
	switch p.Rule {
	case "FLY002", "FLY212":
		return retyped(p, value)
	case "FLY005":
		return retired(p, value, doc)
	case "FLY201":
		return func(d *flyconf.Document) error { return d.Set(p.Key, "rolling") }
	case "FLY203":
		if len(c.Fly.Processes) == 0 && len(c.Fly.Mounts) == 1 {
			return func(d *flyconf.Document) error { return d.Remove(p.Key) } // there is one group, and it has the mount
		}
	case "FLY501":
		return durationRepair(p, value)
	case "FLY502":
		return reshaped(p, value)
	case "FLY509":
		if p.Key == "env.PRIMARY_REGION" && value == c.Fly.PrimaryRegion {
			return func(d *flyconf.Document) error { return d.Remove(p.Key) }
		}
	}
	return nil
}

// document is fly.toml as it was read; nil where it cannot be edited.
func (a *App) document() *flyconf.Document {
	if a.memo.document == nil && a.Fly != nil {
		a.memo.document, _ = flyconf.ParseDocument(a.Fly.Name, a.Fly.Data) // where it cannot be read, nothing is mended
	}
	return a.memo.document
}

// retyped gives a value the type that flyctl wants, by what flyconf asks for.
func retyped(p *flyconf.Problem, value any) flyEdit {
	set := func(v any) flyEdit { return func(d *flyconf.Document) error { return d.Set(p.Key, v) } }
	n, isInt := value.(int64)
	b, isBool := value.(bool)
	text, isText := value.(string)
	asks := func(words string) bool { return strings.Contains(p.Message, words) }
	switch {
	case asks("write it as a quoted string") && isInt:
		return set(strconv.FormatInt(n, 10))
	case asks("write it as a quoted string") && isBool:
		return set(strconv.FormatBool(b))
	case asks("write true or false") && (text == "true" || text == "false"):
		return set(text == "true")
	case asks("write it as a number") && isText:
		if n, err := strconv.ParseInt(text, 10, 32); err == nil && n > 0 && strconv.FormatInt(n, 10) == text {
			return set(n)
		}
	case asks("write a quoted size") && isInt && n > 0 && n <= 500:
		return set(strconv.FormatInt(n, 10) + "GB")
	case asks("write it as an array of strings") && isText:
		return set([]string{text})
	}
	return nil
}

var oldIndex = regexp.MustCompile(`\[\d+\]`)

// retired takes out keys that do nothing, and moves one that has a new place.
func retired(p *flyconf.Problem, value any, doc *flyconf.Document) flyEdit {
	remove := func(d *flyconf.Document) error { return d.Remove(p.Key) }
	switch oldIndex.ReplaceAllString(p.Key, "") {
	case "services.tcp_checks.restart_limit", "services.http_checks.restart_limit",
		"experimental.allowed_public_ports", "experimental.private_network":
		return remove
	case "experimental.kill_timeout":
		seconds, ok := value.(int64)
		if !ok || seconds < 1 || seconds > 300 || doc.Has("kill_timeout") {
			return nil
		}
		return func(d *flyconf.Document) error {
			if err := d.Set("kill_timeout", time.Duration(seconds)*time.Second); err != nil {
				return err
			}
			return d.Remove(p.Key)
		}
	}
	if text, ok := value.(string); ok && strings.HasSuffix(p.Key, ".method") && strings.Contains(p.Message, "not in capitals") {
		return func(d *flyconf.Document) error { return d.Set(p.Key, strings.ToUpper(text)) }
	}
	return nil
}

// durationRepair gives an integer the unit that it is plainly meant in: where flyctl
// counts milliseconds, thousands of them; and seconds, where what flyctl makes of a
// small number, some nanoseconds or less than half a second, is nothing that anybody
// means.
func durationRepair(p *flyconf.Problem, value any) flyEdit {
	n, ok := value.(int64)
	var d time.Duration
	switch {
	case !ok:
		return nil
	case strings.Contains(p.Message, "milliseconds") && n >= 1000:
		d = time.Duration(n) * time.Millisecond
	case n >= 1 && n <= 300:
		d = time.Duration(n) * time.Second
	default:
		return nil
	}
	return func(doc *flyconf.Document) error { return doc.Set(p.Key, d) }
}

// reshaped turns a table into an array of one table, or the other way round.
func reshaped(p *flyconf.Problem, value any) flyEdit {
	switch v := value.(type) {
	case map[string]any:
		if strings.Contains(p.Message, "an array of tables") && !holdsTables(v) {
			return func(d *flyconf.Document) error { return d.Set(p.Key, []map[string]any{v}) }
		}
	case []any:
		if len(v) != 1 || !strings.Contains(p.Message, "write it as a table") {
			return nil
		}
		if table, ok := v[0].(map[string]any); ok {
			return func(d *flyconf.Document) error { return d.Set(p.Key, table) }
		}
	}
	return nil
}

// holdsTables tells whether a table has others in it, whose names may be meant as
// names of checks.
func holdsTables(table map[string]any) bool {
	for name, v := range table {
		if _, ok := v.(map[string]any); ok && name != "headers" {
			return true
		}
	}
	return false
}

// removeLiteFSCloud takes the backup section out: what it named is no more.
func removeLiteFSCloud(files *Files) error {
	litefs, err := files.LiteFS()
	if err != nil {
		return err
	}
	if kind, ok := litefs.Get("backup.type"); ok && kind != "litefs-cloud" {
		return nil
	}
	return litefs.Remove("backup")
}
