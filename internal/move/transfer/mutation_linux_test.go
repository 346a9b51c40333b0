package transfer_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

// mutated has a column of every type, of which rows 1 and 2 have different values and row 3
// none.
const mutated = `CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN dom AS numeric(8,2); CREATE TYPE pair AS (a int, b text); CREATE EXTENSION citext; CREATE EXTENSION hstore;
	CREATE TABLE every (id int PRIMARY KEY, s smallint, i int, b bigint, n numeric, n2 numeric(10,2), r real, f double precision, ok boolean, t text, v varchar(9), c char(6), by bytea, d date, ts timestamp, tz timestamptz, ti time, tt timetz, iv interval,
		u uuid, j json, jb jsonb, ia int[], ta text[], fa float8[], m mood, dm dom, p pair, rg int4range, ip inet, net cidr, mac macaddr, bits bit(4), vb varbit, mo money, x xml, tv tsvector, tq tsquery, pt point, ci citext, h hstore, o oid, q "char", nm name, lsn pg_lsn);
	INSERT INTO every VALUES (1, 1, 1, 1, 1.10, 1.10, 0.1, 0.1, true, 'a', 'a', 'a', '\x00', '2024-01-01', '2024-01-01 00:00:00', '2024-01-01 00:00:00+00', '01:00', '01:00+00', '1 day', '00000000-0000-0000-0000-000000000001', '{"a":1}', '{"a": 1}',
			'{1}', '{a}', '{0.1}', 'sad', 1, '(1,a)', '[1,2)', '10.0.0.1', '10.0.0.0/8', '08:00:2b:01:02:03', '1010', '1', 1, '<a/>', 'a', 'a', '(1,1)', 'a', 'a=>1', 1, 'a', 'a', '0/1'),
		(2, 2, 2, 2, 1.1, 1.11, 0.2, 0.2, false, 'a ', 'A', 'b', '\x0000', '2024-01-02', '2024-01-01 00:00:00.000001', '2024-01-01 00:00:00.000001+00', '01:00:00.000001', '01:00+01', '24:00', '00000000-0000-0000-0000-000000000002', '{"a": 1}', '{"a": 1.0}',
			'{1,NULL}', '{"",NULL}', '{0.2}', 'ok', 1.01, '(1,)', 'empty', '10.0.0.1/31', '10.0.0.0/9', '08:00:2b:01:02:04', '1011', '10', 1.01, '<a></a>', 'b', '!a', '(1,1.0000000000000002)', 'A', 'a=>NULL', 2, 'b', 'b', '0/2'),
		(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
	CREATE TABLE keyless (a text, b int); INSERT INTO keyless VALUES ('x', 1), ('x', 1), ('y', NULL), (NULL, 2), ('', 2), ('z', 3);
	CREATE TABLE texts (k text PRIMARY KEY, a text, b text, by bytea); INSERT INTO texts VALUES ('1', NULL, '', ''), ('2', E'\x01NULL\x02', NULL, NULL), ('3', 'NULL', '\N', '\x014e554c4c02'), ('4', '', NULL, '')`

// A mutation is a change of the file, and what must be said of it.
type mutation struct {
	name, change string
	want         []string // of the only table that differs
}

func mutations(columns []string) (out []mutation) {
	const row = "row %d has changed in %s"
	for _, c := range columns {
		out = append(out,
			mutation{c + " of another row", fmt.Sprintf(`UPDATE every SET "%[1]s" = (SELECT "%[1]s" FROM every WHERE id = 2) WHERE id = 1`, c), []string{fmt.Sprintf(row, 1, c)}},
			mutation{c + " swapped", fmt.Sprintf(`UPDATE every SET "%[1]s" = o.c FROM (SELECT id, "%[1]s" AS c FROM every LIMIT 3) AS o WHERE o.id = 3 - every.id`, c), []string{fmt.Sprintf(row, 1, c), fmt.Sprintf(row, 2, c)}},
			mutation{c + " lost", fmt.Sprintf(`UPDATE every SET "%s" = NULL WHERE id = 2`, c), []string{fmt.Sprintf(row, 2, c)}},
			mutation{c + " made up", fmt.Sprintf(`UPDATE every SET "%[1]s" = (SELECT "%[1]s" FROM every WHERE id = 1) WHERE id = 3`, c), []string{fmt.Sprintf(row, 3, c)}},
			mutation{c + " empty", fmt.Sprintf(`UPDATE every SET "%s" = '' WHERE id = 3`, c), []string{fmt.Sprintf(row, 3, c)}},
		)
	}
	return append(out,
		mutation{"a row is gone", "DELETE FROM every WHERE id = 2", []string{"row 2 is missing"}},
		mutation{"a row too many", "INSERT INTO every (id) VALUES (4)", []string{"row 4 is only in SQLite"}},
		mutation{"another key", "UPDATE every SET id = 4 WHERE id = 2", []string{"row 2 is missing", "row 4 is only in SQLite"}},
		mutation{"keys swapped", "UPDATE every SET id = -id WHERE id < 3; UPDATE every SET id = 3 + id WHERE id < 0", []string{"row 1 has changed in ", "row 2 has changed in "}},
		mutation{"one of two rows that are the same", "DELETE FROM keyless WHERE rowid = 1", []string{"a row is missing"}},
		mutation{"a third row that is the same", "INSERT INTO keyless VALUES ('x', 1)", []string{"a row is only in SQLite"}},
		mutation{"as many rows, and others", "DELETE FROM keyless WHERE rowid = 1; INSERT INTO keyless VALUES ('z', 3)", []string{"a row is missing", "a row is only in SQLite"}},
		mutation{"values that change rows", "UPDATE keyless SET b = 5 - b WHERE a IN ('', 'z')", []string{"a row is missing", "a row is missing", "a row is only in SQLite", "a row is only in SQLite"}},
		mutation{"NULL and empty change places", "UPDATE keyless SET a = CASE WHEN a IS NULL THEN '' END WHERE b = 2 AND a IS NULL", []string{"a row is missing", "a row is only in SQLite"}},
		mutation{"NULL is empty", "UPDATE texts SET a = '' WHERE k = '1'", []string{"row 1 has changed in a"}},
		mutation{"empty is NULL", "UPDATE texts SET b = NULL WHERE k = '1'", []string{"row 1 has changed in b"}},
		mutation{"empty bytes are NULL", "UPDATE texts SET by = NULL WHERE k = '1'", []string{"row 1 has changed in by"}},
		mutation{"NULL is what stands for it", "UPDATE texts SET a = char(1) || 'NULL' || char(2) WHERE k = '1'", []string{"row 1 has changed in a"}},
		mutation{"what stands for NULL is NULL", "UPDATE texts SET a = NULL WHERE k = '2'", []string{"row 2 has changed in a"}},
		mutation{"both", "UPDATE texts SET a = CASE k WHEN '1' THEN char(1) || 'NULL' || char(2) END WHERE k < '3'", []string{"row 1 has changed in a", "row 2 has changed in a"}},
		mutation{"NULL and it change columns", "UPDATE texts SET a = NULL, b = char(1) || 'NULL' || char(2) WHERE k = '2'", []string{"row 2 has changed in a, b"}},
		mutation{"text and bytes", "UPDATE texts SET by = CAST('' AS TEXT) WHERE k = '1'", []string{"row 1 has changed in by"}},
		mutation{"the word NULL", "UPDATE texts SET a = NULL WHERE k = '3'", []string{"row 3 has changed in a"}},
		mutation{`\N`, "UPDATE texts SET b = NULL WHERE k = '3'", []string{"row 3 has changed in b"}},
		mutation{"a NUL behind", "UPDATE texts SET a = a || char(0) WHERE k = '3'", []string{"row 3 has changed in a"}},
	)
}

// Whatever single thing changes in the file, the comparison says so, and where, against the
// server and against a dump.
func TestVerifyMutations(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(mutated)
	f := family{}
	for _, way := range ways[:2] {
		t.Run(way.name, func(t *testing.T) {
			source := sourceOf(t, db, way.args)
			plan, path := f.imports(t, source)
			var columns []string
			for _, table := range plan.Tables {
				for _, c := range table.Columns {
					if table.Name == "every" && !c.RowID {
						columns = append(columns, c.Name)
					}
				}
			}
			if len(columns) != 44 {
				t.Errorf("%d columns", len(columns))
			}
			for i, m := range mutations(columns) {
				if way.args != nil && i%3 > 0 && i < 5*len(columns) {
					continue // it is much the same again
				}
				m.check(t, source, plan, copyOf(t, path))
			}
		})
	}
}

func (m mutation) check(t *testing.T, source move.Source, plan *move.Plan, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=ignore_check_constraints(1)&_pragma=synchronous(0)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(m.change); err != nil {
		t.Fatalf("%s: %v", m.change, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	v, err := transfer.Verify(context.Background(), source, plan, path, nil)
	if err != nil {
		t.Errorf("%s: %v", m.name, err)
		return
	}
	var got []string
	for _, table := range v.Tables {
		if table.Equal() {
			continue
		}
		for _, d := range table.Differences {
			got = append(got, d.String())
		}
		if len(table.Differences) == 0 {
			got = append(got, table.String()+" and no row is named")
		}
	}
	slices.Sort(got) // rows without a key come in the order of their hashes
	same := len(got) == len(m.want) && !v.Equal()
	for i := 0; same && i < len(got); i++ {
		same = got[i] == m.want[i] || strings.HasSuffix(m.want[i], " ") && strings.HasPrefix(got[i], m.want[i])
	}
	if !same {
		t.Errorf("%s: -want +got:\n%s", m.name, cmp.Diff(m.want, got))
	}
}
