package move

import "slices"

// rawType is a row of pg_type.
type rawType struct {
	oid              uint32
	name             Name
	kind, category   string // typtype, typcategory
	elem, base, rng  uint32
	baseMod          int32
	subscriptElement bool // a true array type
}

var typeKinds = map[string]TypeKind{"b": BaseType, "c": CompositeType, "d": DomainType, "e": EnumType, "p": PseudoType, "r": RangeType, "m": MultirangeType}

// readTypes reads all types, the system's too, since columns are of them.
func (r *reader) readTypes() error {
	var t rawType
	err := r.each(`SELECT t.oid, n.nspname, t.typname, t.typtype::text, t.typcategory::text, t.typelem, t.typbasetype, t.typtypmod,
		t.typelem <> 0 AND EXISTS (SELECT FROM pg_catalog.pg_type AS e WHERE e.oid = t.typelem AND e.typarray = t.oid),
		coalesce((SELECT rngsubtype FROM pg_catalog.pg_range WHERE `+r.since(14, "t.oid IN (rngtypid, rngmultitypid)", "t.oid = rngtypid")+`), 0)
		FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace`,
		[]any{&t.oid, &t.name.Schema, &t.name.Name, &t.kind, &t.category, &t.elem, &t.base, &t.baseMod, &t.subscriptElement, &t.rng}, func() {
			copied := t
			r.types[t.oid] = &copied
		})
	if err != nil {
		return err
	}
	for _, read := range []func() error{r.enums, r.domains, r.domainChecks, r.composites, r.ranges} {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// typeOf returns a type with its typmod, which is an array's element's, too. sql is what
// format_type prints of it.
func (r *reader) typeOf(oid uint32, mod int32, sql string) *Type {
	raw := r.types[oid]
	if raw == nil {
		return &Type{SQL: sql, Kind: PseudoType, Mod: mod}
	}
	t := &Type{Name: raw.name, SQL: sql, Kind: typeKinds[raw.kind], Mod: mod}
	switch {
	case raw.subscriptElement:
		t.Kind = ArrayType
		t.Elem = r.typeOf(raw.elem, mod, "")
	case raw.rng != 0:
		t.Elem = r.typeOf(raw.rng, -1, "")
	case raw.base != 0:
		t.Base = r.typeOf(raw.base, raw.baseMod, "")
	}
	return t
}

func (r *reader) enums() error {
	var oid uint32
	var e Enum
	err := r.each(`SELECT t.oid, n.nspname, t.typname, `+comment("pg_type", "t.oid")+`,
		coalesce((SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_catalog.pg_enum WHERE enumtypid = t.oid), '{}')
		FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
		WHERE t.typtype = 'e' AND `+mine("pg_type", "t", "typnamespace"), []any{&oid, &e.Schema, &e.Name.Name, &e.Comment, &e.Labels}, func() {
		r.saw("pg_type", oid)
		copied := e
		copied.Labels = slices.Clone(e.Labels)
		r.schema.Enums = append(r.schema.Enums, &copied)
	})
	inOrder(r.schema.Enums, func(e *Enum) Name { return e.Name })
	return err
}

func (r *reader) domains() error {
	var oid, base uint32
	var mod int32
	var sql string
	var d Domain
	err := r.each(`SELECT t.oid, n.nspname, t.typname, `+comment("pg_type", "t.oid")+`, t.typbasetype, t.typtypmod,
		format_type(t.typbasetype, t.typtypmod), t.typnotnull, coalesce(pg_get_expr(t.typdefaultbin, 0), ''), `+
		collation("t.typcollation", "(SELECT typcollation FROM pg_catalog.pg_type WHERE oid = t.typbasetype)")+`
		FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
		WHERE t.typtype = 'd' AND `+mine("pg_type", "t", "typnamespace"),
		[]any{&oid, &d.Schema, &d.Name.Name, &d.Comment, &base, &mod, &sql, &d.NotNull, &d.Default, &d.Collation}, func() {
			r.saw("pg_type", oid)
			copied := d
			copied.Type = r.typeOf(base, mod, sql)
			r.schema.Domains = append(r.schema.Domains, &copied)
		})
	inOrder(r.schema.Domains, func(d *Domain) Name { return d.Name })
	return err
}

// collation is an expression for the name of a collation that is not a type's own.
func collation(oid, own string) string {
	return `coalesce((SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname) FROM pg_catalog.pg_collation AS co
		JOIN pg_catalog.pg_namespace AS cn ON cn.oid = co.collnamespace WHERE co.oid = ` + oid + ` AND co.oid <> ` + own + `), '')`
}

func (r *reader) domainChecks() error {
	var oid, domain uint32
	var c Constraint
	byName := map[Name]*Domain{}
	for _, d := range r.schema.Domains {
		byName[d.Name] = d
	}
	return r.each(`SELECT c.oid, c.contypid, c.conname, coalesce(pg_get_expr(c.conbin, 0), ''), pg_get_constraintdef(c.oid), NOT c.convalidated, `+
		comment("pg_constraint", "c.oid")+` FROM pg_catalog.pg_constraint AS c WHERE c.contypid <> 0 AND c.contype = 'c' ORDER BY c.conname COLLATE "C"`,
		[]any{&oid, &domain, &c.Name, &c.Expr, &c.Definition, &c.NotValid, &c.Comment}, func() {
			raw := r.types[domain]
			if raw == nil || byName[raw.name] == nil {
				return
			}
			r.saw("pg_constraint", oid)
			copied := c
			copied.Kind = Check
			d := byName[raw.name]
			d.Checks = append(d.Checks, &copied)
		})
}

func (r *reader) composites() error {
	var oid, class, typ uint32
	var mod int32
	var c Composite
	var a Column
	var sql string
	found := map[uint32]*Composite{}
	err := r.each(`SELECT t.oid, k.oid, n.nspname, t.typname, `+comment("pg_type", "t.oid")+`
		FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
		JOIN pg_catalog.pg_class AS k ON k.oid = t.typrelid AND k.relkind = 'c'
		WHERE t.typtype = 'c' AND `+mine("pg_type", "t", "typnamespace"), []any{&oid, &class, &c.Schema, &c.Name.Name, &c.Comment}, func() {
		r.saw("pg_type", oid)
		r.saw("pg_class", class)
		copied := c
		found[class] = &copied
		r.schema.Composites = append(r.schema.Composites, &copied)
	})
	if err != nil {
		return err
	}
	inOrder(r.schema.Composites, func(c *Composite) Name { return c.Name })
	return r.each(`SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod)
		FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS k ON k.oid = a.attrelid AND k.relkind = 'c'
		WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum`, []any{&class, &a.Name, &typ, &mod, &sql}, func() {
		if c := found[class]; c != nil {
			c.Attributes = append(c.Attributes, &Column{Name: a.Name, Type: r.typeOf(typ, mod, sql)})
		}
	})
}

func (r *reader) ranges() error {
	var oid, subtype uint32
	var g Range
	var sql string
	err := r.each(`SELECT t.oid, n.nspname, t.typname, `+comment("pg_type", "t.oid")+`, g.rngsubtype, format_type(g.rngsubtype, -1)
		FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace JOIN pg_catalog.pg_range AS g ON g.rngtypid = t.oid
		WHERE `+mine("pg_type", "t", "typnamespace"), []any{&oid, &g.Schema, &g.Name.Name, &g.Comment, &subtype, &sql}, func() {
		r.saw("pg_type", oid)
		copied := g
		copied.Subtype = r.typeOf(subtype, -1, sql)
		r.schema.Ranges = append(r.schema.Ranges, &copied)
	})
	inOrder(r.schema.Ranges, func(g *Range) Name { return g.Name })
	return err
}
