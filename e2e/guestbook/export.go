package guestbook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// Export writes the copy of a database that a LiteFS has to a file. api is the URL of
// its API.
func Export(ctx context.Context, c *http.Client, api, database, file string) (err error) {
	body, err := AskLiteFS(ctx, c, api+"/export?name="+database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Close())
}

// AskLiteFS gets something of LiteFS's API.
func AskLiteFS(ctx context.Context, c *http.Client, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("GET %s: %s", url, res.Status), res.Body.Close())
	}
	return res.Body, nil
}
