package entrypoint

import "testing"

// A migration that takes away what other nodes' code may use is warned of, and
// refused where that is asked for; on a new database there is nothing to take away.
func TestLiteFSDestructive(t *testing.T) {
	drop := sqlStep{name: "drop", up: []string{"DROP TABLE a;"}}
	for _, tt := range []struct {
		name   string
		strict string
		code   int
	}{{"warned of", "0", 0}, {"refused", "1", 78}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, nodes := cluster(t, "a")
			first := besideLiteFS(t, nodes[0], createA)
			first.env = append(first.env, "FLYSQL_STRICT_MIGRATIONS="+tt.strict)
			first.run(t).expect(t, 0)
			e := besideLiteFS(t, nodes[0], createA, drop)
			e.env = append(e.env, "FLYSQL_STRICT_MIGRATIONS="+tt.strict)
			r := e.run(t).expect(t, tt.code)
			contains(t, r.stderr, "00002_drop.sql:2: drops the table a: other nodes run the release before")
			whatIs(t, nodes[0], func(db string) {
				_, err := tryQuery(db, "SELECT * FROM a")
				if gone := err != nil; gone != (tt.code == 0) {
					t.Errorf("the table: %v", err)
				}
			})

			// Where there is no database yet, nobody uses anything.
			_, fresh := cluster(t, "a")
			e = besideLiteFS(t, fresh[0], createA, drop)
			e.env = append(e.env, "FLYSQL_STRICT_MIGRATIONS=1")
			e.run(t).expect(t, 0)
		})
	}
}
