package move

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
)

// TOML returns the file of options that makes this plan again: every table and column
// with what has been chosen for it, and in comments what else there is and what is
// lost. [ReadOptions] reads it.
func (p *Plan) TOML() []byte {
	var b strings.Builder
	b.WriteString("# What flysql import makes of " + oneLine(cmp.Or(p.Source.Database, "a dump")) + ". Edit it, and give it to --plan.\n\n")
	if p.Existing != nil {
		b.WriteString("# The rows come into a schema that the app's migrations have made.\nexisting = true\n")
	}
	b.WriteString("# How a table outside the schema public is called: \"prefix\" (audit_log) or \"bare\" (log).\n")
	fmt.Fprintf(&b, "schemas = %s\n", tomlString(cmp.Or(p.Options.Schemas, "prefix")))
	b.WriteString("# NaN, infinity, years that are not of four digits, 24:00: \"refuse\", \"keep\" or \"null\".\n")
	fmt.Fprintf(&b, "special = %s\n", tomlString(string(cmp.Or(p.Options.Special, convert.Refuse))))
	if len(p.Options.Types) > 0 {
		b.WriteString("\n[types]\n")
		for _, t := range slices.Sorted(maps.Keys(p.Options.Types)) {
			fmt.Fprintf(&b, "%s = %s\n", tomlString(t), tomlString(p.Options.Types[t]))
		}
	}
	losses := map[string][]Loss{}
	for _, l := range p.Losses {
		losses[l.Where] = append(losses[l.Where], l)
	}
	for _, t := range p.Tables {
		p.writeTable(&b, t, losses)
	}
	p.writeSkipped(&b)
	p.writeLeft(&b)
	return []byte(b.String())
}

func writeLosses(b *strings.Builder, losses []Loss) {
	for _, l := range losses {
		fmt.Fprintf(b, "# %s %s: %s\n", l.Severity, l.ID, oneLine(l.Message))
	}
}

func (p *Plan) writeTable(b *strings.Builder, t *TablePlan, losses map[string][]Loss) {
	name, o := t.Source.String(), p.Options.Tables[t.Source.String()]
	b.WriteString("\n")
	writeLosses(b, losses[name])
	fmt.Fprintf(b, "[tables.%s]\nname = %s\n", tomlString(name), tomlString(t.Name))
	if t.Where != "" {
		fmt.Fprintf(b, "where = %s\n", tomlString(t.Where))
	}
	if o.WithoutRowID {
		b.WriteString("without_rowid = true\n")
	}
	for _, c := range t.Source.Columns {
		key := "tables." + tomlString(name) + ".columns." + tomlString(c.Name)
		i := slices.IndexFunc(t.Columns, func(p *ColumnPlan) bool { return p.Source == c })
		if i < 0 && p.Existing != nil && !o.Columns[c.Name].Skip {
			continue // what has no counterpart is told each time
		}
		if i < 0 {
			fmt.Fprintf(b, "\n[%s] # %s\nskip = true\n", key, oneLine(c.Type.SQL))
			continue
		}
		plan := t.Columns[i]
		b.WriteString("\n")
		writeLosses(b, losses[name+"."+Name{Name: c.Name}.String()])
		fmt.Fprintf(b, "[%s] # %s\n", key, oneLine(c.Type.SQL))
		fmt.Fprintf(b, "name = %s\nform = %s", tomlString(plan.Name), tomlString(plan.Form.Name))
		if len(plan.Forms) > 1 {
			fmt.Fprintf(b, " # or %s", strings.Join(quotedAll(slices.DeleteFunc(slices.Clone(plan.Forms), func(f string) bool { return f == plan.Form.Name })), ", "))
		}
		b.WriteString("\n")
		if s := o.Columns[c.Name].Special; s != "" {
			fmt.Fprintf(b, "special = %s\n", tomlString(string(s)))
		}
	}
}

func (p *Plan) writeSkipped(b *strings.Builder) {
	for _, name := range slices.Sorted(maps.Keys(p.Options.Tables)) {
		if p.Options.Tables[name].Skip {
			fmt.Fprintf(b, "\n[tables.%s]\nskip = true\n", tomlString(name))
		}
	}
}

func (p *Plan) writeLeft(b *strings.Builder) {
	if len(p.Left) == 0 {
		return
	}
	b.WriteString("\n# Not carried:\n")
	for _, l := range p.Left {
		b.WriteString("#   " + oneLine(l.String()) + "\n")
	}
}

// oneLine keeps a comment of TOML's within its line, and its reader's terminal as it is.
func oneLine(s string) string {
	q := strconv.Quote(s)
	return strings.ReplaceAll(strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`), `\\`, `\`)
}

// tomlString is a string or a quoted key of TOML's.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
