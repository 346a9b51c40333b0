package transfer

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// Go and PostgreSQL hash and add alike.
func TestHashText(t *testing.T) {
	t.Parallel()
	conn := testkit.Postgres(t).Conn()
	random := rand.New(rand.NewPCG(1, 2))
	var texts []string
	var seeds, got []int64
	var total sum
	for n := range 300 {
		b := make([]byte, n%40)
		for i := range b {
			b[i] = byte(random.IntN(127) + 1)
		}
		texts, seeds = append(texts, string(b)), append(seeds, []int64{0, 1, -1, random.Int64(), -random.Int64()}[n%5])
		total.add(hashText(b, seeds[n]))
	}
	var wantTotal string
	if err := conn.QueryRow(context.Background(), `SELECT array_agg(h ORDER BY n), sum(h)::text FROM (SELECT n, hashtextextended(v, s) AS h
		FROM unnest($1::text[], $2::int8[]) WITH ORDINALITY AS x(v, s, n)) AS y`, texts, seeds).Scan(&got, &wantTotal); err != nil {
		t.Fatal(err)
	}
	for i := range texts {
		if h := hashText(texts[i], seeds[i]); h != got[i] {
			t.Errorf("%q with %d: %d, want %d", texts[i], seeds[i], h, got[i])
		}
	}
	if total.String() != wantTotal {
		t.Errorf("sum %s, want %s", total, wantTotal)
	}
}
