package move

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// columns plans a table's columns: names, forms, and what the forms lose.
func (p *planner) columns(t *TablePlan) error {
	o := p.plan.Options.Tables[t.Source.String()]
	names := newNames()
	var errs []error
	for _, c := range t.Source.Columns {
		where := t.Source.String() + "." + pgexpr.PgIdent(c.Name)
		co := o.Columns[c.Name]
		if co.Skip {
			p.leave(Left{Kind: "column", Name: where, Severity: Danger, Reason: "skip = true"})
			continue
		}
		plan := &ColumnPlan{Source: c, NotNull: c.NotNull, Special: cmp.Or(co.Special, p.plan.Options.Special, convert.Refuse)}
		want := cmp.Or(co.Name, c.Name)
		if plan.Name = names.take(want); plan.Name != want {
			p.lose(Loss{ID: "column-name", Severity: Warning, Where: where, Message: fmt.Sprintf("it is called %q: SQLite takes it for another column's name", plan.Name), Switch: "name"})
		}
		errs = append(errs, p.form(plan, co.Form, where))
		t.Columns = append(t.Columns, plan)
	}
	if len(t.Columns) == 0 {
		p.lose(Loss{ID: "no-columns", Severity: Warning, Where: t.Source.String(), Message: "SQLite has no table without columns: it gets one that is always NULL"})
	}
	return errors.Join(errs...)
}

// form chooses a column's form.
func (p *planner) form(c *ColumnPlan, asked, where string) error {
	forms, typ := Forms(c.Source.Type, p.schema, c.Special)
	c.Type = typ
	for _, f := range forms {
		c.Forms = append(c.Forms, f.Name)
	}
	name := cmp.Or(asked, p.plan.Options.Types[typeKey(c.Source.Type)])
	i := slices.Index(c.Forms, name)
	if i < 0 && asked != "" {
		return fmt.Errorf("%s: form %q: a column of type %s has %s", where, asked, c.Source.Type.SQL, strings.Join(quotedAll(c.Forms), " or "))
	}
	c.Form = forms[max(i, 0)]
	p.loseBy(c, where)
	return nil
}

// loseBy says what a column's form loses.
func (p *planner) loseBy(c *ColumnPlan, where string) {
	for _, l := range c.Form.Losses {
		l.Where = where
		if others := slices.DeleteFunc(slices.Clone(c.Forms), func(n string) bool { return n == c.Form.Name }); len(others) > 0 {
			l.Switch = "form = " + strings.Join(quotedAll(others), " or ")
		}
		p.lose(l)
	}
	if c.Special == convert.ToNull && c.Form.Conversion.Lossy {
		p.lose(Loss{ID: "special-null", Severity: Danger, Where: where, Message: "NaN, infinity and the like become NULL", Switch: `special = "refuse" or "keep"`})
	}
	if isText(c.Type) && c.Source.Collation != "" && !bytewise(collationName(c.Source.Collation)) {
		p.lose(Loss{ID: "column-collation", Severity: Warning, Where: where, Message: "its collation " + c.Source.Collation + " is not there: it sorts and compares by its bytes"})
	}
}

// typeKey is what Options.Types calls a type: numeric, timestamptz, public.mood.
func typeKey(t *Type) string {
	root := t.Root()
	if root.Schema == "pg_catalog" {
		return root.Name.Name
	}
	return root.String()
}

func quotedAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("%q", s)
	}
	return out
}

func isText(t pgexpr.Type) bool { return t == pgexpr.Text || t == pgexpr.BPChar || t == pgexpr.Citext }

// collationName is C.utf8 of pg_catalog."C.utf8".
func collationName(s string) string {
	return strings.Trim(strings.TrimPrefix(s, "pg_catalog."), `"`)
}

// column is a column as expressions see it.
func (p *planner) column(c *ColumnPlan) pgexpr.Column {
	out := pgexpr.Column{Name: c.Name, Type: c.Type, Storage: c.Form.Storage, Bytewise: p.bytewise, Equal: true}
	if c.Source.Collation != "" {
		out.Bytewise = bytewise(collationName(c.Source.Collation))
		// Only a collation that somebody has made may be nondeterministic.
		out.Equal = strings.HasPrefix(c.Source.Collation, "pg_catalog.")
		out.Fold = folds(collationName(c.Source.Collation))
		if !out.Equal || strings.HasSuffix(collationName(c.Source.Collation), "-x-icu") {
			out.Fold = pgexpr.FoldFull
		}
	}
	return out
}

// folds is what lower and upper do by a collation of libc's, or a builtin one.
func folds(collation string) pgexpr.Fold {
	switch {
	case collation == "C" || collation == "POSIX":
		return pgexpr.FoldASCII
	case strings.HasPrefix(collation, "tr_") || strings.HasPrefix(collation, "az_") || collation == "unicode" || collation == "pg_unicode_fast":
		return pgexpr.FoldFull // Turkish has letters of its own; the others are full mappings
	}
	return pgexpr.FoldSimple
}

// env is what expressions over a table's columns stand in.
func (p *planner) env(t *TablePlan) pgexpr.Env {
	return pgexpr.Env{Bytewise: p.bytewise, Fold: p.fold, Column: func(name string) (pgexpr.Column, bool) {
		for _, c := range t.Columns {
			if c.Source.Name == name {
				return p.column(c), true
			}
		}
		return pgexpr.Column{}, false
	}}
}

// fill plans what columns have besides a form: keys, defaults, domains' checks.
func (p *planner) fill(t *TablePlan) {
	for _, c := range t.Columns {
		where := t.Source.String() + "." + pgexpr.PgIdent(c.Source.Name)
		p.domain(t, c, where)
		switch {
		case c.Source.Generated != "":
			p.generated(t, c, where)
		case c.Source.Identity != "" && !c.RowID:
			p.leave(Left{Kind: "identity", Name: where, Severity: Danger, Reason: "SQLite counts an INTEGER PRIMARY KEY only: the app must give the value"})
		case c.Source.Identity == "always":
			p.lose(Loss{ID: "identity-always", Severity: Note, Where: where, Message: "an insert may give the value itself, which GENERATED ALWAYS refuses"})
		default:
			p.defaultOf(c, p.defaultExpr(c), where)
		}
	}
}

// defaultExpr is a column's default, or its domain's.
func (p *planner) defaultExpr(c *ColumnPlan) string {
	if c.Source.Default != "" {
		return c.Source.Default
	}
	for _, d := range p.chain(c.Source.Type) {
		if d.Default != "" {
			return d.Default
		}
	}
	return ""
}

// chain is the domains that a type is of, the outermost first.
func (p *planner) chain(t *Type) []*Domain {
	var out []*Domain
	for ; t != nil && t.Kind == DomainType; t = t.Base {
		for _, d := range p.schema.Domains {
			if d.Name == t.Name {
				out = append(out, d)
			}
		}
	}
	return out
}

func (p *planner) domain(t *TablePlan, c *ColumnPlan, where string) {
	for _, d := range p.chain(c.Source.Type) {
		c.NotNull = c.NotNull || d.NotNull
		for _, check := range d.Checks {
			env, value := p.env(t), p.column(c)
			env.Value = &value
			p.check(t, check, env, where+" ("+d.String()+")")
		}
	}
}

func (p *planner) generated(t *TablePlan, c *ColumnPlan, where string) {
	r, err := pgexpr.Translate(c.Source.Generated, p.env(t))
	if err == nil && !sameForm(r, c) {
		err = errors.New("its value is of another form than the column's")
	}
	if err != nil {
		p.leave(Left{Kind: "generated column", Name: where, Severity: Danger, Definition: c.Source.Generated,
			Reason: "it becomes an ordinary column with the values that are there: " + err.Error()})
		return
	}
	p.use(*r, where)
	c.Generated = r.SQL
}

// sameForm reports whether an expression's values are stored as the column's.
func sameForm(r *pgexpr.Result, c *ColumnPlan) bool {
	if r.Type == pgexpr.Numeric && c.Type == pgexpr.Numeric {
		// With a scale, PostgreSQL rounds what the expression gives.
		return r.Storage.Form == "text" && c.Form.Storage.Form == "text" && (c.Form.Storage.Precision == 0 || r.Storage.Precision == c.Form.Storage.Precision && r.Storage.Scale == c.Form.Storage.Scale)
	}
	ints := []pgexpr.Type{pgexpr.Int2, pgexpr.Int4, pgexpr.Int8}
	same := r.Type == c.Type || slices.Contains(ints, r.Type) && slices.Contains(ints, c.Type)
	return same && r.Storage.Form == c.Form.Storage.Form && r.Type != pgexpr.Other
}

func (p *planner) defaultOf(c *ColumnPlan, expr, where string) {
	if expr == "" {
		return
	}
	d, err := pgexpr.TranslateDefault(expr, pgexpr.Env{Bytewise: p.bytewise, Fold: p.fold}, p.column(c))
	if err != nil {
		if constant, ok := p.constantDefault(c, expr); ok {
			c.Default = constant
			return
		}
	}
	switch {
	case err != nil:
		p.leave(Left{Kind: "default", Name: where, Severity: Warning, Reason: err.Error(), Definition: expr})
	case d.Sequence != "" && !c.RowID:
		p.leave(Left{Kind: "default", Name: where, Severity: Danger, Reason: "SQLite counts an INTEGER PRIMARY KEY only: the app must give the value", Definition: expr})
	case d.Sequence != "":
	default:
		p.use(d.Result, where)
		c.Default = d.SQL
	}
}

// constantDefault is a string constant that expressions know nothing of, by the column's
// own conversion: '{}'::text[].
func (p *planner) constantDefault(c *ColumnPlan, expr string) (string, bool) {
	text, ok := pgexpr.Constant(expr)
	if !ok {
		return "", false
	}
	v, err := c.Form.Conversion.To([]byte(text), nil)
	if err != nil {
		return "", false
	}
	// Only what PostgreSQL prints itself is what it would store.
	if back, err := c.Form.Conversion.Back(v); err != nil || back != text {
		return "", false
	}
	switch v.Kind {
	case convert.Integer:
		return fmt.Sprint(v.Int), true
	case convert.Text:
		return pgexpr.Literal(string(v.Bytes)), true
	}
	return "", false
}
