//go:build tools

// Package tools pins the LiteFS that the tests run: the version that the image of
// `flysql init --mode litefs` copies, with the dependencies that it pins itself.
package tools

import _ "github.com/superfly/litefs/cmd/litefs"
