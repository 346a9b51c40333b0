package move

import "slices"

// relations reads tables and views.
func (r *reader) relations() error {
	var oid uint32
	var kind string
	var t Table
	var v View
	var populated bool
	err := r.each(`SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relpersistence = 'u', c.relrowsecurity, c.relforcerowsecurity,
		CASE c.relreplident WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' ELSE 'default' END,
		coalesce(pg_get_expr(c.relpartbound, c.oid), ''), coalesce(CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END, ''),
		CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, -1) ELSE '' END,
		coalesce((SELECT s.srvname FROM pg_catalog.pg_foreign_table AS f JOIN pg_catalog.pg_foreign_server AS s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid), ''),
		coalesce(c.reloptions, '{}'), c.reltuples::int8, CASE WHEN c.relkind = 'r' THEN coalesce(pg_table_size(c.oid), 0) ELSE 0 END,
		c.relispopulated, CASE WHEN c.relkind IN ('v', 'm') THEN coalesce(pg_get_viewdef(c.oid), '') ELSE '' END, `+comment("pg_class", "c.oid")+`
		FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't' AND `+mine("pg_class", "c", "relnamespace"),
		[]any{&oid, &t.Schema, &t.Name.Name, &kind, &t.Unlogged, &t.RowSecurity, &t.ForceSecurity, &t.ReplicaIdentity, &t.PartitionBound, &t.PartitionKey,
			&t.OfType, &t.ForeignServer, &t.Options, &t.Rows, &t.Bytes, &populated, &v.Definition, &t.Comment}, func() {
			r.saw("pg_class", oid)
			if kind == "v" || kind == "m" {
				view := &View{Name: t.Name, Materialized: kind == "m", Populated: populated, Definition: v.Definition, CheckOption: checkOption(t.Options), Comment: t.Comment}
				r.views[oid] = view
				r.schema.Views = append(r.schema.Views, view)
				return
			}
			table := t
			table.Options = slices.Clone(t.Options)
			table.Kind = map[string]TableKind{"r": PlainTable, "p": PartitionedTable, "f": ForeignTable}[kind]
			if table.Rows == 0 && r.version < 14 {
				table.Rows = -1 // older servers say 0 where they have no estimate
			}
			r.tables[oid] = &table
			r.schema.Tables = append(r.schema.Tables, &table)
		})
	inOrder(r.schema.Tables, func(t *Table) Name { return t.Name })
	inOrder(r.schema.Views, func(v *View) Name { return v.Name })
	return err
}

func checkOption(options []string) string {
	for _, o := range options {
		switch o {
		case "check_option=local":
			return "local"
		case "check_option=cascaded":
			return "cascaded"
		}
	}
	return ""
}

func (r *reader) inheritance() error {
	var child uint32
	var parent Name
	var partition bool
	return r.each(`SELECT i.inhrelid, n.nspname, p.relname, c.relispartition FROM pg_catalog.pg_inherits AS i
		JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
		JOIN pg_catalog.pg_namespace AS n ON n.oid = p.relnamespace ORDER BY i.inhrelid, i.inhseqno`,
		[]any{&child, &parent.Schema, &parent.Name, &partition}, func() {
			t := r.tables[child]
			switch {
			case t == nil: // an index's partition, or not ours
			case partition:
				of := parent
				t.PartitionOf = &of
			default:
				t.Inherits = append(t.Inherits, parent)
			}
		})
}

func (r *reader) readColumns() error {
	var relation, typ uint32
	var number int16
	var mod int32
	var sql, identity, generated, expr string
	var c Column
	// With the relation, PostgreSQL would name all its columns anew for each default: for
	// 1,600 that takes most of a minute.
	return r.each(`SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod), a.attnotnull,
		a.attidentity::text, a.attgenerated::text, coalesce(pg_get_expr(d.adbin, CASE WHEN a.attgenerated <> '' THEN d.adrelid ELSE 0 END), ''), `+
		collation("a.attcollation", "t.typcollation")+`, a.attinhcount > 0 AND NOT a.attislocal, coalesce(col_description(a.attrelid, a.attnum), '')
		FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS k ON k.oid = a.attrelid AND k.relkind IN ('r', 'p', 'f', 'v', 'm')
		JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
		LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attnum > 0 AND NOT a.attisdropped AND `+mine("pg_class", "k", "relnamespace")+` ORDER BY a.attrelid, a.attnum`,
		[]any{&relation, &number, &c.Name, &typ, &mod, &sql, &c.NotNull, &identity, &generated, &expr, &c.Collation, &c.Inherited, &c.Comment}, func() {
			col := c
			col.Type = r.typeOf(typ, mod, sql)
			col.Identity = map[string]string{"a": "always", "d": "by default"}[identity]
			if generated != "" {
				col.Generated, col.Virtual = expr, generated == "v"
			} else {
				col.Default = expr
			}
			switch {
			case r.tables[relation] != nil:
				r.tables[relation].Columns = append(r.tables[relation].Columns, &col)
			case r.views[relation] != nil:
				r.views[relation].Columns = append(r.views[relation].Columns, &col)
			default:
				return
			}
			r.columns[column{relation, number}] = &col
		})
}

var constraintKinds = map[string]ConstraintKind{"p": PrimaryKey, "u": Unique, "c": Check, "f": ForeignKey, "x": Exclusion}

var actions = map[string]string{"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

// attributes is an expression for the names of the columns whose numbers are in an array.
func attributes(relation, numbers string) string {
	return `coalesce((SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(` + numbers + `) WITH ORDINALITY AS k(num, n)
		JOIN pg_catalog.pg_attribute AS a ON a.attrelid = ` + relation + ` AND a.attnum = k.num), '{}')`
}

func (r *reader) constraints() error {
	var oid, relation uint32
	var kind, onUpdate, onDelete, match string
	var inherited int32
	var local bool
	var c Constraint
	var ref Reference
	return r.each(`SELECT c.oid, c.conrelid, c.conname, c.contype::text, `+attributes("c.conrelid", "c.conkey")+`, `+
		attributes("c.conrelid", "(SELECT array_agg(k) FROM unnest(i.indkey[i.indnkeyatts:i.indnatts - 1]) AS k)")+`,
		coalesce(pg_get_expr(c.conbin, c.conrelid), ''), pg_get_constraintdef(c.oid), `+r.since(15, "coalesce(i.indnullsnotdistinct, false)", "false")+`,
		c.condeferrable, c.condeferred, NOT c.convalidated, c.connoinherit, c.coninhcount, c.conislocal,
		coalesce(fn.nspname, ''), coalesce(f.relname, ''), `+attributes("c.confrelid", "c.confkey")+`,
		c.confupdtype::text, c.confdeltype::text, `+r.since(15, attributes("c.conrelid", "c.confdelsetcols"), "'{}'::text[]")+`, c.confmatchtype::text, `+
		comment("pg_constraint", "c.oid")+`
		FROM pg_catalog.pg_constraint AS c
		LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.conindid AND c.contype IN ('p', 'u', 'x')
		LEFT JOIN pg_catalog.pg_class AS f ON f.oid = c.confrelid LEFT JOIN pg_catalog.pg_namespace AS fn ON fn.oid = f.relnamespace
		WHERE c.conrelid <> 0 AND c.contype IN ('p', 'u', 'c', 'f', 'x') ORDER BY c.conrelid, c.contype = 'f', c.contype <> 'p', c.conname COLLATE "C"`,
		[]any{&oid, &relation, &c.Name, &kind, &c.Columns, &c.Include, &c.Expr, &c.Definition, &c.NullsNotDistinct, &c.Deferrable, &c.Deferred, &c.NotValid, &c.NoInherit,
			&inherited, &local, &ref.Table.Schema, &ref.Table.Name, &ref.Columns, &onUpdate, &onDelete, &ref.SetColumns, &match, &c.Comment}, func() {
			t := r.tables[relation]
			if t == nil {
				return
			}
			r.saw("pg_constraint", oid)
			n := c
			n.Kind, n.Inherited = constraintKinds[kind], inherited > 0 && !local
			n.Columns, n.Include = slices.Clone(c.Columns), slices.Clone(c.Include)
			if n.Kind == ForeignKey {
				to := ref
				to.Columns, to.SetColumns = slices.Clone(ref.Columns), slices.Clone(ref.SetColumns)
				to.OnUpdate, to.OnDelete, to.Full = actions[onUpdate], actions[onDelete], match == "f"
				n.References = &to
			}
			t.Constraints = append(t.Constraints, &n)
		})
}

func (r *reader) indexes() error {
	var oid, relation uint32
	var i Index
	found := map[uint32]*Index{}
	err := r.each(`SELECT i.indexrelid, i.indrelid, c.relname, m.amname, i.indisunique, `+r.since(15, "i.indnullsnotdistinct", "false")+`, i.indisvalid,
		coalesce(pg_get_expr(i.indpred, i.indrelid), ''), pg_get_indexdef(i.indexrelid), c.relispartition, `+comment("pg_class", "c.oid")+`
		FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
		WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS o WHERE o.conindid = i.indexrelid AND o.contype IN ('p', 'u', 'x'))
		AND `+mine("pg_class", "c", "relnamespace")+` ORDER BY i.indrelid, c.relname COLLATE "C"`,
		[]any{&oid, &relation, &i.Name, &i.Method, &i.Unique, &i.NullsNotDistinct, &i.Valid, &i.Where, &i.Definition, &i.Inherited, &i.Comment}, func() {
			copied := i
			switch {
			case r.tables[relation] != nil:
				r.tables[relation].Indexes = append(r.tables[relation].Indexes, &copied)
			case r.views[relation] != nil:
				r.views[relation].Indexes = append(r.views[relation].Indexes, &copied)
			default:
				return
			}
			r.saw("pg_class", oid)
			found[oid] = &copied
		})
	if err != nil {
		return err
	}
	var key IndexKey
	var included bool
	return r.each(`SELECT i.indexrelid, k > i.indnkeyatts, coalesce(ta.attname::text, ''),
		CASE WHEN i.indkey[k - 1] = 0 THEN pg_get_indexdef(i.indexrelid, k, false) ELSE '' END,
		k <= i.indnkeyatts AND i.indoption[k - 1] & 1 = 1, k <= i.indnkeyatts AND i.indoption[k - 1] & 2 = 2,
		coalesce((SELECT o.opcname::text FROM pg_catalog.pg_opclass AS o WHERE k <= i.indnkeyatts AND o.oid = i.indclass[k - 1] AND NOT o.opcdefault), ''), `+
		`CASE WHEN k <= i.indnkeyatts AND i.indkey[k - 1] <> 0 THEN `+collation("i.indcollation[k - 1]", "ta.attcollation")+` ELSE '' END
		FROM pg_catalog.pg_index AS i CROSS JOIN LATERAL generate_series(1, i.indnatts) AS k
		LEFT JOIN pg_catalog.pg_attribute AS ta ON ta.attrelid = i.indrelid AND ta.attnum = i.indkey[k - 1] AND i.indkey[k - 1] <> 0
		WHERE i.indexrelid >= 16384 ORDER BY i.indexrelid, k`,
		[]any{&oid, &included, &key.Column, &key.Expr, &key.Desc, &key.NullsFirst, &key.OpClass, &key.Collation}, func() {
			index := found[oid]
			switch {
			case index == nil:
			case included:
				index.Include = append(index.Include, key.Column)
			default:
				index.Keys = append(index.Keys, key)
			}
		})
}
