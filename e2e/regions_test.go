package e2e_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/e2e/apprepo"
)

var update = flag.Bool("update", false, "write the examples' deployments to three regions anew, by flysql init")

// regionsExample is the guestbook's deployment to three regions.
var regionsExample = filepath.Join("examples", "regions")

// The files of examples that run in three regions are what flysql init writes at the top of
// the repository. Only the Dockerfile names litefs.yml where it lies in the example.
func TestRegionsExample(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ example, main, app string }{
		{regionsExample, "./examples/guestbook", "flysql-regions"},
		{filepath.Join("examples", "from-postgres"), "./examples/from-postgres", "flysql-magazine"},
	} {
		t.Run(tt.app, func(t *testing.T) {
			t.Parallel()
			isInitialised(t, tt.example, tt.main, tt.app)
		})
	}
}

func isInitialised(t *testing.T, example, main, app string) {
	clone := must(t, shop.clone)
	dir := gitFiles(t, clone)
	for _, name := range []string{"fly.toml", "Dockerfile"} { // the deployment to one machine
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := apprepo.Init(testContext(t), must(t, shop.flysql), dir,
		append(apprepo.ThreeRegions(), "--main", main, "--app", app, "--force")...)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fly.toml", "litefs.yml", "Dockerfile"} {
		want := readFile(t, filepath.Join(dir, name))
		if name == "Dockerfile" {
			in := filepath.ToSlash(filepath.Join(example, "litefs.yml"))
			edited := strings.Replace(want, "\nCOPY litefs.yml ", "\nCOPY "+in+" ", 1)
			if edited == want {
				t.Errorf("no line of the Dockerfile copies litefs.yml:\n%s", want)
			}
			want = edited
		}
		file := filepath.Join(clone, example, name)
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, readFile(t, file)); diff != "" {
			t.Errorf("%s is not what flysql init writes (-want +got); cd e2e && go test -run TestRegionsExample -update mends it\n%s", file, diff)
		}
	}
	if diff := cmp.Diff(readFile(t, filepath.Join(clone, ".dockerignore")), readFile(t, filepath.Join(dir, ".dockerignore"))); diff != "" {
		t.Errorf("one .dockerignore cannot serve both (-top +%s):\n%s", app, diff)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
