// Package image builds and boots the Dockerfiles that flysql init writes where
// there is no container engine, by following their own instructions.
//
// It is a stand-in for `docker build` and `docker run` in this module's tests and
// demo, and no replacement: it knows the instructions those Dockerfiles use and
// refuses every other one by name. Nothing is skipped in silence; what a way
// cannot do is in Image.Notes.
//
// There are two ways. They parse, expand, copy and record alike:
//
//   - Mapped needs no privileges. A stage is a directory, and the image's paths
//     lie below it: WORKDIR /src is <stage>/src. RUN lines of the build stages
//     run there with the host's Go, so they may name relative paths only. RUN
//     lines of the last stage (apt-get, useradd) are not run. Environment values
//     that name a path of the image or a volume are mapped when it boots.
//   - Chroot needs root on Linux. A stage is an overlay over the host's root file
//     system, which stands for a Debian image with Go, and every RUN line runs in
//     it. Paths, users and mounts are the image's own; a volume is a real ext4
//     file system. All mounts live in a mount namespace of their own, which the
//     kernel takes down with the process, however that ends.
//
// A build and a boot:
//
//	img, err := image.Build(ctx, "guestbook", image.Options{Way: image.Mapped})
//	...
//	defer img.Close()
//	m, err := img.Start(ctx, image.Boot{
//		Env:     []string{"DATABASE_URL=file:///data/app.db", "PORT=8080"},
//		Volumes: map[string]string{"/data": dir},
//	})
//	...
//	defer m.Close()
//	code, err := m.Wait(ctx)
package image
