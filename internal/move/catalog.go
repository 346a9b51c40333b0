package move

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// oldestServer is the oldest release that ReadSchema knows the catalog of. What newer ones
// than 17 add is named among Schema.Others.
const oldestServer = 13

// ReadSchema reads what is in the database that conn is connected to, in one
// transaction that writes nothing: what it returns has been there at one moment. It
// needs no rights on the tables; of a sequence that may not be read, the state is not
// Known.
func ReadSchema(ctx context.Context, conn *pgx.Conn) (*Schema, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("begin to read the catalog: %w", err)
	}
	s, err := ReadSchemaTx(ctx, tx)
	return s, errors.Join(err, tx.Rollback(ctx))
}

// ReadSchemaTx is ReadSchema within a transaction, which sees its own snapshot. It
// changes the transaction's settings, such as search_path, until its end.
func ReadSchemaTx(ctx context.Context, tx pgx.Tx) (*Schema, error) {
	r := &reader{ctx: ctx, tx: tx, schema: &Schema{}, seen: map[object]bool{}, tables: map[uint32]*Table{},
		views: map[uint32]*View{}, columns: map[column]*Column{}, types: map[uint32]*rawType{}, namespaces: map[uint32]string{}}
	if err := PinSettings(ctx, tx); err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	for _, step := range []struct {
		what string
		read func() error
	}{
		{"server", r.server}, {"schemas", r.readNamespaces}, {"extensions", r.extensions}, {"types", r.readTypes},
		{"tables", r.relations}, {"inheritance", r.inheritance}, {"columns", r.readColumns}, {"constraints", r.constraints},
		{"indexes", r.indexes}, {"sequences", r.sequences}, {"sequences' state", r.sequenceStates},
		{"functions", r.functions}, {"triggers", r.triggers}, {"rules", r.rules}, {"policies", r.policies},
		{"other objects", r.others}, {"privileges and settings", r.settings},
	} {
		if err := step.read(); err != nil {
			return nil, fmt.Errorf("read the catalog: %s: %w", step.what, err)
		}
	}
	r.schema.withoutOwn()
	return r.schema, nil
}

// PinSettings has names qualified, and values printed in the one way that package convert
// reads, until the end of a transaction, whatever the session's settings.
func PinSettings(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT set_config(name, value, true) FROM (VALUES ('search_path', ''), ('datestyle', 'ISO, MDY'),
		('intervalstyle', 'postgres'), ('timezone', 'UTC'), ('bytea_output', 'hex'), ('extra_float_digits', '1'), ('lc_monetary', 'C'),
		('client_encoding', 'UTF8'), ('quote_all_identifiers', 'off'), ('standard_conforming_strings', 'on')) AS s(name, value)`)
	return err
}

// object is an object of the catalog: the catalog's name and the object's oid in it.
type object struct {
	class string
	oid   uint32
}

// column is a column's relation and number.
type column struct {
	relation uint32
	number   int16
}

// reader reads a catalog. What it has read is in seen, so that the rest can be named.
type reader struct {
	ctx     context.Context
	tx      pgx.Tx
	schema  *Schema
	version int // 15
	seen    map[object]bool

	namespaces map[uint32]string
	types      map[uint32]*rawType
	tables     map[uint32]*Table
	views      map[uint32]*View
	columns    map[column]*Column
}

// each runs a query and calls f for every row, with dest filled.
func (r *reader) each(sql string, dest []any, f func()) error {
	rows, err := r.tx.Query(r.ctx, sql)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, dest, func() error { f(); return nil })
	return err
}

// since returns an expression, or another one on a server older than release.
func (r *reader) since(release int, expr, otherwise string) string {
	if r.version >= release {
		return expr
	}
	return otherwise
}

// mine is a condition on a catalog's rows: in no schema of the system's or of another
// session's, and no member of an extension.
func mine(class, alias, namespace string) string {
	return fmt.Sprintf(`%[2]s.%[3]s IN (SELECT oid FROM pg_catalog.pg_namespace WHERE %[4]s) AND %[5]s`, class, alias, namespace, ownNamespace,
		noMember(class, alias))
}

const ownNamespace = `nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND nspname !~ '^pg_(toast_)?temp_'`

func noMember(class, alias string) string {
	return fmt.Sprintf(`NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e
		WHERE e.classid = 'pg_catalog.%s'::regclass AND e.objid = %s.oid AND e.objsubid = 0 AND e.deptype = 'e')`, class, alias)
}

// comment is an expression for an object's comment.
func comment(class, oid string) string {
	return fmt.Sprintf(`coalesce(obj_description(%s, '%s'), '')`, oid, class)
}

func (r *reader) server() error {
	s := &r.schema.Server
	if err := r.each(`SELECT current_setting('server_version_num')::int4`, []any{&s.Version}, func() {}); err != nil {
		return err
	}
	r.version = s.Version / 10000
	if r.version < oldestServer {
		return fmt.Errorf("PostgreSQL %d is older than %d, the oldest that flysql reads: upgrade it, or import a dump that a newer pg_dump has made", r.version, oldestServer)
	}
	return r.each(`SELECT d.datname, pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
		CASE `+r.since(15, "d.datlocprovider::text", "'c'")+` WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
		coalesce(`+r.since(17, "d.datlocale", r.since(15, "d.daticulocale", "NULL"))+`, ''),
		coalesce((SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'TimeZone'), ''),
		coalesce(shobj_description(d.oid, 'pg_database'), '')
		FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()`,
		[]any{&s.Database, &s.Encoding, &s.Collation, &s.Ctype, &s.Provider, new(string), &s.TimeZone, &s.Comment}, func() {})
}

func (r *reader) readNamespaces() error {
	var oid uint32
	var n Namespace
	return r.each(`SELECT oid, nspname, `+comment("pg_namespace", "oid")+` FROM pg_catalog.pg_namespace AS n
		WHERE `+ownNamespace+` AND `+noMember("pg_namespace", "n")+` ORDER BY nspname COLLATE "C"`, []any{&oid, &n.Name, &n.Comment}, func() {
		r.saw("pg_namespace", oid)
		r.namespaces[oid] = n.Name
		r.schema.Namespaces = append(r.schema.Namespaces, n)
	})
}

func (r *reader) extensions() error {
	var oid uint32
	var e Extension
	return r.each(`SELECT e.oid, e.extname, e.extversion, n.nspname, `+comment("pg_extension", "e.oid")+`
		FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
		WHERE e.extname <> 'plpgsql' ORDER BY e.extname COLLATE "C"`, []any{&oid, &e.Name, &e.Version, &e.Schema, &e.Comment}, func() {
		r.saw("pg_extension", oid)
		r.schema.Extensions = append(r.schema.Extensions, e)
	})
}

func (r *reader) saw(class string, oid uint32) { r.seen[object{class, oid}] = true }

// inOrder sorts a list by schema and name, as bytes: the server's collation is its own.
func inOrder[T any](list []T, name func(T) Name) {
	slices.SortFunc(list, func(a, b T) int { return compareNames(name(a), name(b)) })
}
