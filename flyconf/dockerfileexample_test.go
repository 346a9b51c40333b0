package flyconf_test

import (
	"fmt"
	"os"

	"github.com/flysql/flysql/flyconf"
)

func ExampleParseDockerfile() {
	df, err := flyconf.ParseDockerfile("Dockerfile", []byte(`
ARG DEBIAN=bookworm
FROM golang:1.25 AS build
RUN go build -o /app .

FROM debian:${DEBIAN}-slim
RUN apt-get update && \
    # for LiteFS
    apt-get install -y ca-certificates fuse3
COPY --from=build /app /usr/local/bin/
ENV PORT=8080
EXPOSE ${PORT}
ENTRYPOINT litefs mount
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	img := df.Final().Image(nil)
	fmt.Println(img.Base.Value, img.Ports[0].Value)
	for _, p := range img.Packages {
		fmt.Println("installs", p.Value)
	}
	if in := img.Entrypoint; in != nil && in.Exec == nil {
		fmt.Printf("line %d: %s is in shell form: %s\n", in.Line, in.Name, in.Args)
	}
	// Output:
	// debian:bookworm-slim 8080
	// installs ca-certificates
	// installs fuse3
	// line 13: ENTRYPOINT is in shell form: litefs mount
}

func ExampleParseDockerfile_problems() {
	_, err := flyconf.ParseDockerfile("Dockerfile", []byte(`FROM debian
ENTRYPIONT ["app"]
RUN <<EOF
echo hello
`))
	fmt.Println(err)
	// Output:
	// Dockerfile:3:1: RUN: the heredoc <<EOF does not end: a line that is only EOF is missing
	// Dockerfile:2:1: ENTRYPIONT: unknown instruction; did you mean ENTRYPOINT?
}

func ExampleDockerfile_Set() {
	df, err := flyconf.ParseDockerfile("Dockerfile", []byte(`FROM debian
RUN apt-get update && \
    apt-get install -y ca-certificates

# The app.
CMD ["shop"]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := df.Set("ENTRYPOINT", flyconf.ExecForm("litefs", "mount")); err != nil {
		fmt.Println(err)
		return
	}
	if err := df.AddStage("FROM flyio/litefs:0.5 AS litefs"); err != nil {
		fmt.Println(err)
		return
	}
	run, _ := df.Final().Last("RUN")
	if err := df.InsertAfter(run, "COPY --from=litefs /usr/local/bin/litefs /usr/local/bin/litefs"); err != nil {
		fmt.Println(err)
		return
	}
	os.Stdout.Write(df.Bytes())
	// Output:
	// FROM flyio/litefs:0.5 AS litefs
	//
	// FROM debian
	// RUN apt-get update && \
	//     apt-get install -y ca-certificates
	// COPY --from=litefs /usr/local/bin/litefs /usr/local/bin/litefs
	//
	// ENTRYPOINT ["litefs", "mount"]
	// # The app.
	// CMD ["shop"]
}
