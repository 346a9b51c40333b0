package flyconf_test

import (
	"fmt"

	"github.com/flysql/flysql/flyconf"
)

func ExampleNearest() {
	keys := []string{"initial_size", "source", "destination"}
	fmt.Println(flyconf.Nearest("intial_size", keys))
	fmt.Printf("%q\n", flyconf.Nearest("colour", keys))
	// Output:
	// initial_size
	// ""
}
