package convert_test

import (
	"fmt"

	"github.com/flysql/flysql/internal/move/convert"
)

func Example() {
	c := convert.TimestampTZ(convert.Refuse)
	v, err := c.To([]byte("2026-01-02 04:04:05.678+01"), nil)
	fmt.Println(string(v.Bytes), err)
	back, err := c.Back(v)
	fmt.Println(back, err)
	_, err = c.To([]byte("infinity"), nil)
	fmt.Println(err)
	// Output:
	// 2026-01-02 03:04:05.678000+00:00 <nil>
	// 2026-01-02 03:04:05.678+00 <nil>
	// timestamptz: infinity has no place in this form; special = "keep" or "null" for the column takes it
}
