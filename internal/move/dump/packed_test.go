package dump_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/dump"
)

// The same dump, however it is packed and wherever it comes from.
func TestPacked(t *testing.T) {
	t.Parallel()
	text := head + "SET client_encoding = 'LATIN1';\nCREATE TABLE public.\"stra\xdfe\" (a text);\nCOPY public.\"stra\xdfe\" (a) FROM stdin;\n\xfc\xe4\\n\n\\.\n" + tail
	plain, err := charmap.ISO8859_1.NewDecoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	plain = strings.Replace(plain, "LATIN1", "UTF8", 1)
	var gz, zst bytes.Buffer
	for _, w := range []interface {
		Write([]byte) (int, error)
		Close() error
	}{gzip.NewWriter(&gz), newZstd(t, &zst)} {
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string]string{"plain": plain, "latin1": text, "gzip": gz.String(), "zstd": zst.String(), "mark": "\xef\xbb\xbf" + plain} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dump")
			if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			fromFile, err := dump.Open(context.Background(), path, dump.Options{TempDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer fromFile.Close()
			fromStream, err := dump.Read(context.Background(), "-", iotest.OneByteReader(strings.NewReader(data)), dump.Options{TempDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer fromStream.Close()
			for _, d := range []*dump.Dump{fromFile, fromStream} {
				if got := rowsOf(t, d, public("straße"), "a"); got != "üä\\n\n" {
					t.Errorf("%q", got)
				}
			}
			if _, err := dump.Read(context.Background(), "-", strings.NewReader(data[:len(data)-30]), dump.Options{TempDir: t.TempDir()}); err == nil {
				t.Error("it is taken for whole where it is cut")
			}
		})
	}
}

func newZstd(t *testing.T, b *bytes.Buffer) *zstd.Encoder {
	t.Helper()
	w, err := zstd.NewWriter(b)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A dump of pg_dumpall's: the one database that has something, or the one that is named.
func TestCluster(t *testing.T) {
	t.Parallel()
	one := func(name, table string) string {
		return head + "CREATE DATABASE " + name + " WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'de_DE.utf8';\nALTER DATABASE " + name + " SET work_mem TO '1MB';\n\\connect " + name + "\n\nSET client_encoding = 'UTF8';\n" + table + tail
	}
	roles := "--\n-- PostgreSQL database cluster dump\n--\n\n\\restrict abc\nCREATE ROLE app;\nALTER ROLE app WITH LOGIN PASSWORD 'md5secret';\nGRANT a TO b;\n\\unrestrict abc\n"
	end := "--\n-- PostgreSQL database cluster dump complete\n--\n"
	table := "CREATE TABLE public.t (a integer);\n"
	all := roles + "\\connect template1\n" + head + tail + one("app", table) + one("other", table) + end
	if _, err := read(t, all, dump.Options{}); err == nil || !strings.Contains(err.Error(), `"app"`) {
		t.Error(err)
	}
	if _, err := read(t, all, dump.Options{Database: "nope"}); err == nil || !strings.Contains(err.Error(), `it holds no database "nope"`) {
		t.Error(err)
	}
	for _, c := range []struct{ text, database string }{{all, "other"}, {roles + head + tail + one("other", table) + one("postgres", "") + end, ""}} {
		d, err := read(t, c.text, dump.Options{Database: c.database})
		if err != nil {
			t.Error(err)
			continue
		}
		want := move.Server{Database: "other", Encoding: "UTF8", Collation: "de_DE.utf8", Ctype: "de_DE.utf8", Provider: "libc"}
		if diff := cmp.Diff(want, d.Schema().Server); diff != "" || len(d.Schema().Tables) != 1 {
			t.Errorf("%d tables; -want +got:\n%s", len(d.Schema().Tables), diff)
		}
		if diff := cmp.Diff([]move.Object{{Kind: "setting", Identity: "of the database", Detail: "work_mem"}}, d.Schema().Others); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	if _, err := read(t, strings.TrimSuffix(all, end)[:len(all)-len(end)-40], dump.Options{Database: "app"}); err == nil {
		t.Error("a cluster's dump that is cut is taken for whole")
	}
}
