package dump

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// What PostgreSQL writes in an encoding is read as PostgreSQL itself reads it, or refused.
func TestEncodingsArePostgreSQLs(t *testing.T) {
	db := testkit.Postgres(t)
	db.Exec(`CREATE FUNCTION encoded(c int, e text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS
		$$ BEGIN RETURN convert_to(chr(c), e); EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$;
		CREATE TABLE chars AS SELECT c FROM generate_series(128, 65533) AS c WHERE c NOT BETWEEN 55296 AND 57343 AND
			(c < 1200 OR c BETWEEN 8192 AND 9000 OR c BETWEEN 12288 AND 12600 OR c > 65280 OR c % 61 = 0);`)
	conn := db.Conn()
	for _, name := range slices.Sorted(maps.Keys(encodings)) {
		rows, err := conn.Query(context.Background(), "SELECT b, convert_from(b, $1) FROM chars, LATERAL (SELECT encoded(c, $1) AS b) AS x WHERE b IS NOT NULL AND NOT ($1 = 'gbk' AND b = '\\x80') AND NOT ($1 = 'gb18030' AND b = '\\xa3a0')", name)
		if err != nil {
			t.Fatal(name, err)
		}
		n, refused, bad := 0, 0, []string{}
		for rows.Next() {
			var b []byte
			var want string
			if err := rows.Scan(&b, &want); err != nil {
				t.Fatal(err)
			}
			n++
			got, err := encodings[name].NewDecoder().Bytes(b)
			switch {
			case err != nil || strings.ContainsRune(string(got), '\uFFFD'):
				refused++
			case string(got) != want:
				bad = append(bad, fmt.Sprintf("%x: %U not %U", b, []rune(want), []rune(string(got))))
			}
		}
		if rows.Err() != nil {
			t.Error(name, rows.Err())
		}
		if len(bad) > 0 || n == 0 || refused > n/10 {
			t.Errorf("%s: of %d characters %d are refused, and others are %d: %s", name, n, refused, len(bad), strings.Join(bad[:min(len(bad), 30)], "; "))
		}
	}
}
