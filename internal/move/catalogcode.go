package move

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

func (r *reader) sequences() error {
	var oid, owner uint32
	var number int16
	var s Sequence
	var internal bool
	err := r.each(`SELECT c.oid, n.nspname, c.relname, format_type(s.seqtypid, -1), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle,
		coalesce(d.refobjid, 0), coalesce(d.refobjsubid, 0)::int2, coalesce(d.deptype = 'i', false), `+comment("pg_class", "c.oid")+`
		FROM pg_catalog.pg_sequence AS s JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
		LEFT JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
			AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
		WHERE c.relpersistence <> 't' AND `+mine("pg_class", "c", "relnamespace"),
		[]any{&oid, &s.Schema, &s.Name.Name, &s.Type, &s.Start, &s.Increment, &s.Min, &s.Max, &s.Cycle, &owner, &number, &internal, &s.Comment}, func() {
			r.saw("pg_class", oid)
			q := s
			q.Identity = internal
			if c, t := r.columns[column{owner, number}], r.tables[owner]; c != nil && t != nil {
				q.OwnedBy = &ColumnName{t.Name, c.Name}
				name := q.Name
				c.Sequence = &name
			}
			r.schema.Sequences = append(r.schema.Sequences, &q)
		})
	inOrder(r.schema.Sequences, func(s *Sequence) Name { return s.Name })
	return err
}

// sequenceStates reads where the sequences stand, a batch in a query: each is a
// relation of its own.
func (r *reader) sequenceStates() error {
	const batch = 200
	readable := map[Name]bool{}
	var n Name
	err := r.each(`SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
		WHERE CASE WHEN c.relkind = 'S' THEN has_schema_privilege(n.oid, 'USAGE') AND has_sequence_privilege(c.oid, 'SELECT') END`,
		[]any{&n.Schema, &n.Name}, func() { readable[n] = true })
	if err != nil {
		return err
	}
	var todo []*Sequence
	for _, s := range r.schema.Sequences {
		if readable[s.Name] {
			todo = append(todo, s)
		}
	}
	for part := range slices.Chunk(todo, batch) {
		var selects []string
		for i, s := range part {
			selects = append(selects, fmt.Sprintf("SELECT %d, last_value, is_called FROM %s", i, s.Name))
		}
		var i int
		var last int64
		var called bool
		err := r.each(strings.Join(selects, " UNION ALL "), []any{&i, &last, &called}, func() {
			part[i].Known, part[i].Last, part[i].Called = true, last, called
		})
		if err != nil {
			return err
		}
	}
	return nil
}

var functionKinds = map[string]string{"f": "function", "p": "procedure", "a": "aggregate", "w": "window function"}

func (r *reader) functions() error {
	var oid uint32
	var kind string
	var f Function
	err := r.each(`SELECT p.oid, n.nspname, p.proname, p.prokind::text, pg_get_function_identity_arguments(p.oid), l.lanname,
		CASE WHEN p.prokind = 'a' THEN '' ELSE coalesce(pg_get_functiondef(p.oid), '') END, `+comment("pg_proc", "p.oid")+`
		FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
		WHERE `+mine("pg_proc", "p", "pronamespace")+`
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')`,
		[]any{&oid, &f.Schema, &f.Name.Name, &kind, &f.Arguments, &f.Language, &f.Definition, &f.Comment}, func() {
			r.saw("pg_proc", oid)
			copied := f
			copied.Kind = functionKinds[kind]
			r.schema.Functions = append(r.schema.Functions, &copied)
		})
	slices.SortFunc(r.schema.Functions, func(a, b *Function) int {
		if c := compareNames(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.Arguments, b.Arguments)
	})
	return err
}

func (r *reader) triggers() error {
	var oid, relation uint32
	var t Trigger
	return r.each(`SELECT g.oid, g.tgrelid, g.tgname, n.nspname, p.proname,
		CASE g.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' ELSE 'origin' END,
		pg_get_triggerdef(g.oid), `+comment("pg_trigger", "g.oid")+`
		FROM pg_catalog.pg_trigger AS g JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
		WHERE NOT g.tgisinternal ORDER BY g.tgrelid, g.tgname COLLATE "C"`,
		[]any{&oid, &relation, &t.Name, &t.Function.Schema, &t.Function.Name, &t.Enabled, &t.Definition, &t.Comment}, func() {
			copied := t
			switch {
			case r.tables[relation] != nil:
				r.tables[relation].Triggers = append(r.tables[relation].Triggers, &copied)
			case r.views[relation] != nil:
				r.views[relation].Triggers = append(r.views[relation].Triggers, &copied)
			default:
				return
			}
			r.saw("pg_trigger", oid)
		})
}

func (r *reader) rules() error {
	var oid, relation uint32
	var own bool
	var rule Rule
	return r.each(`SELECT w.oid, w.ev_class, w.ev_type = '1' AND w.is_instead AND w.rulename = '_RETURN', w.rulename, pg_get_ruledef(w.oid), `+
		comment("pg_rewrite", "w.oid")+` FROM pg_catalog.pg_rewrite AS w WHERE w.oid >= 16384 ORDER BY w.ev_class, w.rulename COLLATE "C"`,
		[]any{&oid, &relation, &own, &rule.Name, &rule.Definition, &rule.Comment}, func() {
			copied := rule
			t, v := r.tables[relation], r.views[relation]
			switch {
			case t == nil && v == nil:
				return
			case own: // a view's SELECT
			case t != nil:
				t.Rules = append(t.Rules, &copied)
			default:
				v.Rules = append(v.Rules, &copied)
			}
			r.saw("pg_rewrite", oid)
		})
}

func (r *reader) policies() error {
	var oid, relation uint32
	var p Policy
	return r.each(`SELECT p.oid, p.polrelid, p.polname, CASE p.polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' WHEN 'd' THEN 'delete' ELSE 'all' END,
		p.polpermissive, coalesce((SELECT array_agg(CASE WHEN u = 0 THEN 'public' ELSE pg_get_userbyid(u)::text END) FROM unnest(p.polroles) AS u), '{}'),
		coalesce(pg_get_expr(p.polqual, p.polrelid), ''), coalesce(pg_get_expr(p.polwithcheck, p.polrelid), ''), `+comment("pg_policy", "p.oid")+`
		FROM pg_catalog.pg_policy AS p ORDER BY p.polrelid, p.polname COLLATE "C"`,
		[]any{&oid, &relation, &p.Name, &p.Command, &p.Permissive, &p.Roles, &p.Using, &p.Check, &p.Comment}, func() {
			if t := r.tables[relation]; t != nil {
				r.saw("pg_policy", oid)
				copied := p
				copied.Roles = slices.Clone(p.Roles)
				t.Policies = append(t.Policies, &copied)
			}
		})
}

// others names all that has an oid above the system's own and has not been read: every
// catalog is asked, those of releases to come, too.
func (r *reader) others() error {
	var class string
	var classes []string
	err := r.each(`SELECT c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'oid' AND a.attnum > 0
		WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND NOT c.relisshared AND has_column_privilege(c.oid, a.attnum, 'SELECT')
		ORDER BY c.relname COLLATE "C"`, []any{&class}, func() {
		// What these hold is part of something that is named for it.
		if !slices.Contains([]string{"pg_enum", "pg_attrdef", "pg_amop", "pg_amproc", "pg_largeobject_metadata"}, class) {
			classes = append(classes, class)
		}
	})
	if err != nil {
		return err
	}
	var parts []string
	for _, class := range classes {
		parts = append(parts, fmt.Sprintf(`SELECT 'pg_catalog.%[1]s'::regclass::oid AS classid, '%[1]s' AS class, o.oid AS objid FROM pg_catalog.%[1]s AS o
			WHERE o.oid >= 16384 AND `+noMember(class, "o"), pgexpr.PgIdent(class)))
	}
	var oid uint32
	var o Object
	err = r.each(`SELECT a.class, a.objid, i.type, i.identity FROM (`+strings.Join(parts, " UNION ALL ")+`) AS a
		CROSS JOIN LATERAL pg_identify_object(a.classid, a.objid, 0) AS i
		WHERE coalesce(i.schema, '') NOT IN ('pg_toast', 'pg_catalog', 'information_schema') AND coalesce(i.schema, '') !~ '^pg_(toast_)?temp' AND i.identity !~ '^"?pg_(toast_)?temp'
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = a.classid AND d.objid = a.objid AND d.objsubid = 0 AND d.deptype IN ('i', 'P', 'S'))
		ORDER BY i.type COLLATE "C", i.identity COLLATE "C"`, []any{&class, &oid, &o.Kind, &o.Identity}, func() {
		if !r.seen[object{class, oid}] {
			r.schema.Others = append(r.schema.Others, o)
		}
	})
	return err
}

// settings names what has no oid of its own: large objects, by their number; tables of
// extensions, which may have been written to; privileges; settings of this database.
func (r *reader) settings() error {
	var o Object
	return r.each(`SELECT * FROM (
		SELECT 'large objects' AS kind, count(*)::text AS identity, '' AS detail FROM pg_catalog.pg_largeobject_metadata HAVING count(*) > 0
		UNION ALL SELECT 'table of an extension', format('%I.%I', n.nspname, c.relname), e.extname::text FROM pg_catalog.pg_class AS c
			JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
			JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
			JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid WHERE c.relkind IN ('r', 'p', 'f')
		UNION ALL SELECT 'privileges', format('%I.%I', n.nspname, c.relname), c.relacl::text FROM pg_catalog.pg_class AS c
			JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relacl IS NOT NULL AND c.oid >= 16384 AND n.`+ownNamespace+`
		UNION ALL SELECT 'privileges', format('%I.%I.%I', n.nspname, c.relname, a.attname), a.attacl::text FROM pg_catalog.pg_attribute AS a
			JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
			WHERE a.attacl IS NOT NULL AND c.oid >= 16384 AND n.`+ownNamespace+`
		UNION ALL SELECT 'privileges', p.oid::regprocedure::text, p.proacl::text FROM pg_catalog.pg_proc AS p WHERE p.proacl IS NOT NULL AND p.oid >= 16384
		UNION ALL SELECT 'privileges', quote_ident(n.nspname), n.nspacl::text FROM pg_catalog.pg_namespace AS n WHERE n.nspacl IS NOT NULL AND n.oid >= 16384
		UNION ALL SELECT 'privileges', t.oid::regtype::text, t.typacl::text FROM pg_catalog.pg_type AS t WHERE t.typacl IS NOT NULL AND t.oid >= 16384
		UNION ALL SELECT 'setting', CASE WHEN s.setrole = 0 THEN 'of the database' ELSE 'of ' || quote_ident(pg_get_userbyid(s.setrole)) END, split_part(c, '=', 1)
			FROM pg_catalog.pg_db_role_setting AS s CROSS JOIN LATERAL unnest(s.setconfig) AS c
			WHERE s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
		UNION ALL SELECT 'security label', l.objtype || ' ' || l.objname, l.provider FROM pg_catalog.pg_seclabels AS l
		UNION ALL SELECT 'user mapping', quote_ident(u.srvname) || ' for ' || quote_ident(u.usename), '' FROM pg_catalog.pg_user_mappings AS u
			WHERE NOT has_table_privilege('pg_catalog.pg_user_mapping', 'SELECT')
		UNION ALL SELECT 'subscription', quote_ident(s.subname), '' FROM pg_catalog.pg_subscription AS s
			WHERE s.subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
		) AS x ORDER BY kind COLLATE "C", identity COLLATE "C", detail COLLATE "C"`, []any{&o.Kind, &o.Identity, &o.Detail}, func() {
		r.schema.Others = append(r.schema.Others, o)
	})
}
