package move

import (
	"fmt"
	"strings"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

// leftOvers lists what a plan does not carry at all, for a person.
func (p *planner) leftOvers() {
	for _, t := range p.schema.Tables {
		if p.tables[t.Name] == nil && t.PartitionOf == nil {
			continue // named already
		}
		p.leftOfTable(t)
	}
	for _, v := range p.schema.Views {
		p.leftOfView(v)
	}
	for _, s := range p.schema.Sequences {
		if s.OwnedBy == nil {
			p.leave(Left{Kind: "sequence", Name: s.String(), Severity: Warning, Reason: fmt.Sprintf("SQLite has none; it stands at %d", s.Last)})
		}
	}
	for _, f := range p.schema.Functions {
		p.leave(Left{Kind: f.Kind, Name: f.String() + "(" + f.Arguments + ")", Severity: Warning, Reason: "SQLite has no functions in " + f.Language + ": what calls it must do it itself", Definition: f.Definition})
	}
	for _, e := range p.schema.Extensions {
		p.leave(Left{Kind: "extension", Name: pgexpr.PgIdent(e.Name), Severity: Note, Reason: "SQLite has none of PostgreSQL's; its types are carried as their columns say"})
	}
	for _, o := range p.schema.Others {
		p.leave(Left{Kind: o.Kind, Name: o.Identity, Severity: severityOf(o), Reason: "SQLite has nothing like it" + detail(o.Detail)})
	}
}

func detail(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

// severityOf says how bad it is that an object is not there.
func severityOf(o Object) Severity {
	switch o.Kind {
	case "large objects", "table of an extension", "event trigger":
		return Danger
	case "privileges", "operator", "cast":
		return Warning
	}
	return Note
}

func (p *planner) leftOfTable(t *Table) {
	at := func(name string) string { return t.String() + "." + pgexpr.PgIdent(name) }
	for _, g := range t.Triggers {
		p.leave(leftTrigger(g, at(g.Name)))
	}
	for _, r := range t.Rules {
		p.leave(Left{Kind: "rule", Name: at(r.Name), Severity: Danger, Reason: "SQLite has none", Definition: r.Definition})
	}
	for _, y := range t.Policies {
		p.leave(Left{Kind: "policy", Name: at(y.Name), Severity: Danger, Reason: "SQLite has no users", Definition: strings.TrimSpace("FOR " + strings.ToUpper(y.Command) + " " + using(y))})
	}
	if t.PartitionOf == nil {
		return
	}
	// Of a partition, what its parent does not have.
	for _, c := range t.Constraints {
		if !c.Inherited && (c.Kind == Check || c.Kind == ForeignKey || c.Kind == Exclusion) {
			p.leave(Left{Kind: string(c.Kind), Name: at(c.Name), Severity: Danger, Reason: "it is of a partition, whose rows are among all others now", Definition: c.Definition})
		}
	}
	for _, i := range t.Indexes {
		if !i.Inherited {
			p.leave(Left{Kind: "index", Name: at(i.Name), Severity: Note, Reason: "it is of a partition, whose rows are among all others now", Definition: i.Definition})
		}
	}
}

func leftTrigger(g *Trigger, name string) Left {
	reason := "its function " + g.Function.String() + " is PostgreSQL's: write it anew for SQLite, or into the app"
	severity := Danger
	if g.Enabled == "disabled" {
		reason, severity = "it is disabled", Note
	}
	return Left{Kind: "trigger", Name: name, Severity: severity, Reason: reason, Definition: g.Definition}
}

func using(y *Policy) string {
	s := ""
	if y.Using != "" {
		s += "USING (" + y.Using + ") "
	}
	if y.Check != "" {
		s += "WITH CHECK (" + y.Check + ")"
	}
	return s
}

func (p *planner) leftOfView(v *View) {
	if v.Materialized {
		p.leave(Left{Kind: "materialized view", Name: v.String(), Severity: Danger, Reason: "SQLite has none: make it a view, or a table that the app fills", Definition: v.Definition})
	}
	for _, g := range v.Triggers {
		p.leave(leftTrigger(g, v.String()+"."+pgexpr.PgIdent(g.Name)))
	}
	for _, r := range v.Rules {
		p.leave(Left{Kind: "rule", Name: v.String() + "." + pgexpr.PgIdent(r.Name), Severity: Danger, Reason: "SQLite has none", Definition: r.Definition})
	}
	for _, i := range v.Indexes {
		p.leave(Left{Kind: "index", Name: v.String() + "." + pgexpr.PgIdent(i.Name), Severity: Note, Reason: "its materialized view is not carried", Definition: i.Definition})
	}
}
