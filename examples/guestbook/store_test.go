package main

import (
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/appdb/appdbtest"
)

func newTestStore(t testing.TB) *store {
	t.Helper()
	return &store{db: appdbtest.New(t, migrations)}
}

func TestSignAndReadBack(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	before := time.Now().Add(-time.Second)
	id, err := s.Sign(t.Context(), "Ada", "Hello\n🦊 'quoted'")
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.MessagesAfter(t.Context(), 0, 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("MessagesAfter(0) = %v, %v; want one message", list, err)
	}
	got := list[0]
	if got.ID != id || got.Name != "Ada" || got.Body != "Hello\n🦊 'quoted'" {
		t.Errorf("read back %+v, want message %d of Ada", got, id)
	}
	if got.Created.Before(before) || got.Created.After(time.Now().Add(time.Second)) || got.Created.Location().String() != "UTC" {
		t.Errorf("created %v, want now, in UTC", got.Created)
	}
	g, err := s.Guest(t.Context(), got.GuestID)
	if err != nil || g.Name != "Ada" || !g.Created.Equal(got.Created) {
		t.Errorf("Guest(%d) = %+v, %v; want Ada, created with her first message at %v", got.GuestID, g, err, got.Created)
	}
	if _, err := s.Guest(t.Context(), got.GuestID+1); !errors.Is(err, errNoGuest) {
		t.Errorf("Guest of an unknown id: %v, want errNoGuest", err)
	}
}

func TestOneGuestWhateverTheCase(t *testing.T) {
	t.Parallel()
	tests := []struct {
		first, second string
		same          bool
	}{
		{"Ada", "aDA", true},
		{"Émile", "éMILE", true},
		{"ΣΊΣΥΦΟΣ", "σίσυφος", true}, // final sigma
		{"Жанна", "жАННА", true},
		{"Ada", "Ada L", false},
		{"Ada", "Äda", false},
		{"%", "_", false},
	}
	for _, tt := range tests {
		t.Run(tt.first+" "+tt.second, func(t *testing.T) {
			t.Parallel()
			s := newTestStore(t)
			for _, name := range []string{tt.first, tt.second} {
				if _, err := s.Sign(t.Context(), name, "Hello"); err != nil {
					t.Fatal(err)
				}
			}
			list, err := s.MessagesAfter(t.Context(), 0, 10)
			if err != nil || len(list) != 2 {
				t.Fatalf("MessagesAfter = %v, %v; want two messages", list, err)
			}
			if same := list[0].GuestID == list[1].GuestID; same != tt.same {
				t.Errorf("same guest: %v, want %v", same, tt.same)
			}
			if tt.same && list[1].Name != tt.first {
				t.Errorf("second message is signed %q, want the first spelling %q", list[1].Name, tt.first)
			}
		})
	}
}

func TestConcurrentSignersWithOneName(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	const each = 20
	var wg sync.WaitGroup
	for _, name := range []string{"Ada", "ADA"} {
		wg.Go(func() {
			for range each {
				if _, err := s.Sign(t.Context(), name, "Hello from "+name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	list, err := s.MessagesAfter(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, m := range list {
		got[m.Body]++
		if m.GuestID != list[0].GuestID {
			t.Fatalf("guests %d and %d, want one", list[0].GuestID, m.GuestID)
		}
	}
	if got["Hello from Ada"] != each || got["Hello from ADA"] != each || len(list) != 2*each {
		t.Errorf("messages %v, want %d of each", got, each)
	}
}

func TestCountRead(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	for _, want := range []int64{1, 2, 3} {
		if got, err := s.CountRead(t.Context(), "/"); err != nil || got != want {
			t.Fatalf("CountRead(/) = %d, %v; want %d", got, err, want)
		}
	}
	for path, want := range map[string]int64{"/": 3, "/guests/1": 0} {
		if got, err := s.Reads(t.Context(), path); err != nil || got != want {
			t.Errorf("Reads(%s) = %d, %v; want %d", path, got, err, want)
		}
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	for i := range 9 { // ids 1 to 9; 1, 4 and 7 are Ada's, guest 1
		if _, err := s.Sign(t.Context(), []string{"Ada", "Bob", "Eve"}[i%3], "Hello"); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		what         string
		span         span
		size         int
		want         []int64
		older, newer bool
	}{
		{"newest", span{}, 4, []int64{9, 8, 7, 6}, true, false},
		{"all fit exactly", span{}, 9, []int64{9, 8, 7, 6, 5, 4, 3, 2, 1}, false, false},
		{"one too many", span{}, 8, []int64{9, 8, 7, 6, 5, 4, 3, 2}, true, false},
		{"in the middle", span{Before: 6}, 4, []int64{5, 4, 3, 2}, true, true},
		{"last page", span{Before: 2}, 4, []int64{1}, false, true},
		{"before the first", span{Before: 1}, 4, nil, false, false},
		{"before one far ahead", span{Before: 1 << 62}, 4, []int64{9, 8, 7, 6}, true, false},
		{"newer, in the middle", span{After: 2}, 4, []int64{6, 5, 4, 3}, true, true},
		{"newer, up to the newest", span{After: 5}, 4, []int64{9, 8, 7, 6}, true, false},
		{"newer, less than a page", span{After: 7}, 4, []int64{9, 8, 7, 6}, true, false},
		{"newer than the newest", span{After: 9}, 4, []int64{9, 8, 7, 6}, true, false},
		{"one guest", span{Guest: 1}, 2, []int64{7, 4}, true, false},
		{"one guest, older", span{Guest: 1, Before: 4}, 2, []int64{1}, false, true},
		{"one guest, newer", span{Guest: 1, After: 1}, 2, []int64{7, 4}, true, false},
		{"unknown guest", span{Guest: 99}, 2, nil, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			p, err := s.Page(t.Context(), tt.span, tt.size)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, m := range p.Messages {
				got = append(got, m.ID)
			}
			if !slices.Equal(got, tt.want) || p.Older != tt.older || p.Newer != tt.newer {
				t.Errorf("got %v, older %v, newer %v; want %v, %v, %v", got, p.Older, p.Newer, tt.want, tt.older, tt.newer)
			}
		})
	}
}

// The limits of the tables are not narrower than those of the form.
func TestTablesTakeTheLongest(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	f := newForm(strings.Repeat("🦊", maxName), strings.Repeat("🦊", maxMessage))
	if !f.valid() {
		t.Fatalf("the form refuses %d and %d characters: %s %s", maxName, maxMessage, f.NameError, f.MessageError)
	}
	if _, err := s.Sign(t.Context(), f.Name, f.Message); err != nil {
		t.Error(err)
	}
}

// The tables refuse by themselves what the app's checks should have stopped.
func TestTablesRefuse(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	if _, err := s.Sign(t.Context(), "Ada", "Hello"); err != nil {
		t.Fatal(err)
	}
	for what, query := range map[string]string{
		"a second guest of the same key": `INSERT INTO guests (name, name_key, created) SELECT 'x', name_key, created FROM guests`,
		"an empty name":                  `INSERT INTO guests (name, name_key, created) VALUES ('', 'x', '2026-01-01')`,
		"an empty message":               `INSERT INTO messages (guest_id, body, created) VALUES (1, '', '2026-01-01')`,
		"a message too long":             `INSERT INTO messages (guest_id, body, created) VALUES (1, '` + strings.Repeat("x", maxMessage+1) + `', '2026-01-01')`,
		"a name too long":                `INSERT INTO guests (name, name_key, created) VALUES ('` + strings.Repeat("x", maxName+1) + `', 'x', '2026-01-01')`,
		"a message of nobody":            `INSERT INTO messages (guest_id, body, created) VALUES (99, 'x', '2026-01-01')`,
		"a page read no times":           `INSERT INTO page_reads (path, reads) VALUES ('/', 0)`,
	} {
		err := s.db.Update(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), query)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "constraint") {
			t.Errorf("%s: %v, want a constraint to refuse it", what, err)
		}
	}
}

func TestMigrationsGoUpAndDown(t *testing.T) {
	t.Parallel()
	db, err := appdb.Open(t.Context(), filepath.Join(t.TempDir(), "guestbook.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	s := &store{db: db}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db.Writer(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time shows that Down left nothing in the way
		if done, err := p.Up(t.Context()); err != nil || len(done) != 3 {
			t.Fatalf("up: %d migrations, %v; want 3", len(done), err)
		}
		if err := s.checkTables(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.DownTo(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		err := s.checkTables(t.Context())
		if err == nil || !strings.Contains(err.Error(), "no table guests, messages, page_reads") {
			t.Fatalf("after down: %v, want all three tables missing", err)
		}
	}
}
