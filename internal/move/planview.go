package move

import (
	"slices"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

// views plans the views, each after those that it reads.
func (p *planner) views() {
	made := map[Name]*ViewPlan{}
	todo := slices.DeleteFunc(slices.Clone(p.schema.Views), func(v *View) bool { return v.Materialized })
	for len(todo) > 0 {
		var later []*View
		var errs []error
		for _, v := range todo {
			plan, err := p.view(v, made)
			if err != nil {
				later, errs = append(later, v), append(errs, err)
				continue
			}
			made[v.Name] = plan
			p.plan.Views = append(p.plan.Views, plan)
		}
		if len(later) == len(todo) { // none of them waits for another
			for i, v := range later {
				p.leave(Left{Kind: "view", Name: v.String(), Severity: Danger, Reason: "its query must be written for SQLite: " + errs[i].Error(), Definition: v.Definition})
			}
			return
		}
		todo = later
	}
}

func (p *planner) view(v *View, made map[Name]*ViewPlan) (*ViewPlan, error) {
	r, err := pgexpr.TranslateView(v.Definition, p.bare(), func(schema, name string) (pgexpr.Relation, bool) {
		return p.relation(Name{schema, name}, made)
	})
	if err != nil {
		return nil, err
	}
	want := v.Name.Name
	if v.Schema != "public" && p.plan.Options.Schemas != "bare" {
		want = v.Schema + "_" + want
	}
	plan := &ViewPlan{Source: v, Name: p.names.take(want), columns: r.Columns}
	plan.Create = "CREATE VIEW " + pgexpr.Ident(plan.Name) + " AS\n" + commented(v.Comment) + r.SQL
	if plan.Name != want {
		p.lose(Loss{ID: "view-name", Severity: Warning, Where: v.String(), Message: "it is called " + plan.Name + ": SQLite has " + want + " already"})
	}
	p.use(pgexpr.Result{Functions: r.Functions, Notes: r.Notes}, v.String())
	if v.CheckOption != "" || len(v.Triggers) == 0 {
		p.lose(Loss{ID: "view-write", Severity: Note, Where: v.String(), Message: "SQLite writes to no view, where PostgreSQL writes to a simple one"})
	}
	return plan, nil
}

// relation is a table or view that is carried.
func (p *planner) relation(n Name, made map[Name]*ViewPlan) (pgexpr.Relation, bool) {
	if t := p.tables[n]; t != nil {
		if slices.ContainsFunc(p.schema.Tables, func(t *Table) bool { return slices.Contains(t.Inherits, n) }) {
			return pgexpr.Relation{}, false // there a query finds the rows of its children, too
		}
		return pgexpr.Relation{Name: t.Name, Column: p.env(t).Column}, true
	}
	v := made[n]
	if v == nil {
		return pgexpr.Relation{}, false
	}
	return pgexpr.Relation{Name: v.Name, Column: func(name string) (pgexpr.Column, bool) {
		i := slices.IndexFunc(v.columns, func(c pgexpr.Column) bool { return c.Name == name })
		if i < 0 {
			return pgexpr.Column{}, false
		}
		return v.columns[i], true
	}}, true
}
