// Package watch tells when files change that the build or the boot of an app depends on:
//
//	w, err := watch.New(watch.Options{Dir: "."})
//	if err != nil {
//		return err
//	}
//	defer w.Close()
//	for {
//		paths, err := w.Next(ctx)
//		if err != nil {
//			return err
//		}
//		build(paths)
//	}
//
// What changes while nobody waits in Next, as during a build, the following Next tells at
// once and in one.
//
// # What counts
//
// Go files and what cgo compiles, but no tests; go.mod, go.sum, go.work and
// vendor/modules.txt; what a //go:embed names; .sql files; templates (.html, .tmpl,
// .tpl, .gohtml), which many apps read when they start; fly.toml, litefs.yml and
// Dockerfile of the app's directory; and what Options name.
//
// Directories that are hidden, that a .gitignore leaves out, and node_modules are not
// looked into, unless a //go:embed or an import leads there. Links are not followed out
// of the app's directory.
//
// # How
//
// The system's notifications say only that it is time to look. What has changed is found
// by comparing what files hold with what they held: so it does not matter how an editor
// saves, a file that is saved as it was is no change, and no notification that was lost
// loses a change. Where the system does not notify, or its limit is reached, files are
// looked at every second.
package watch
