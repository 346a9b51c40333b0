package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/flyapi"
)

// nothingChanged is nothingWritten, of what is on Fly.
const nothingChanged = "nothing was changed"

// flyFlags are the flags of all verbs that speak to Fly.
type flyFlags struct{ app, config, token string }

func (f *flyFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.app, "app", "a", "", "the app's name on Fly (default: fly.toml's)")
	flags.StringVarP(&f.config, "config", "c", "", "where fly.toml is (default: fly.toml, fly.json or fly.yaml here)")
	flags.StringVarP(&f.token, "access-token", "t", "", "token for Fly's API (default: FLY_ACCESS_TOKEN, FLY_API_TOKEN, else flyctl's own)")
	must(cmd.RegisterFlagCompletionFunc("app", cobra.NoFileCompletions))
	must(cmd.RegisterFlagCompletionFunc("access-token", cobra.NoFileCompletions))
	must(cmd.MarkFlagFilename("config", "toml", "json", "yaml", "yml"))
}

// flyTarget is the app on Fly that a verb is about.
type flyTarget struct {
	client *flyapi.Client
	config *flyconf.Config // nil where there is no fly.toml and --app was given
	file   string          // fly.toml's name as errors call it; empty where there is none
}

// target reads fly.toml and makes a client for the app. Nothing is asked yet. A fly.toml
// that cannot be read whole is an error; whether it is valid is the verb's to ask.
func (c *cli) target(f *flyFlags) (*flyTarget, error) {
	t := &flyTarget{}
	var err error
	if t.file, t.config, err = readFlyConfig(f.config); err != nil {
		return nil, err
	}
	app := f.app
	switch {
	case app != "":
	case t.config == nil:
		return nil, usagef("there is no fly.toml here that names the app: give --app, or --config; flysql init writes one")
	case t.config.App == "":
		return nil, fmt.Errorf("%s names no app: set app in it, or give --app", t.file)
	default:
		app = t.config.App
	}
	with, err := flyapi.FromEnv(f.token, c.getenv)
	if err != nil {
		return nil, err
	}
	info, _ := debug.ReadBuildInfo()
	with.App, with.UserAgent = app, strings.TrimSuffix("flysql/"+publishedVersion(info), "/")
	if t.client, err = flyapi.New(with); err != nil {
		return nil, err
	}
	return t, nil
}

// needConfig says that a verb cannot do without fly.toml, or with one that Fly refuses.
func (t *flyTarget) needConfig() error {
	if t.config == nil {
		return usagef("there is no fly.toml here: run it in the app's repository, or give --config")
	}
	if err := t.config.Validate(); err != nil {
		return fmt.Errorf("%w\nmend %s first: flysql doctor shows how; %s", err, t.file, nothingChanged)
	}
	return nil
}

// flyConfigMost bounds what is read as fly.toml.
const flyConfigMost = 1 << 20

// readFlyConfig reads fly.toml: the file that was named, or the one that is here. Where
// none was named and none is here, the config is nil.
func readFlyConfig(named string) (file string, config *flyconf.Config, err error) {
	names := []string{"fly.toml", "fly.json", "fly.yaml", "fly.yml"}
	if named != "" {
		if info, err := os.Stat(named); err == nil && info.IsDir() {
			named = filepath.Join(named, names[0])
		}
		names = []string{named}
	}
	for _, name := range names {
		data, err := readFile(name, flyConfigMost)
		if errors.Is(err, fs.ErrNotExist) && named == "" {
			continue
		}
		if err != nil {
			return "", nil, fmt.Errorf("read %s: %w", name, err)
		}
		config, err := flyconf.Parse(name, data)
		if err != nil {
			return "", nil, fmt.Errorf("%w\nmend %s first: flysql doctor shows how; %s", err, name, nothingChanged)
		}
		return name, config, nil
	}
	return "", nil, nil
}

// readFile reads a plain file of at most so many bytes.
func readFile(name string, most int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, pathless(err)
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("it is no file of at most %d KB", most>>10)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, pathless(err)
	}
	data, err := io.ReadAll(io.LimitReader(f, most))
	return data, errors.Join(err, f.Close())
}

// pathless is an error of the os package without the path, which the caller's has.
func pathless(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// consent asks whether to change what is on Fly, where there is a terminal and --yes was
// not given. Without either it is refused, with the flag's name.
func (c *cli) consent(ctx context.Context, yes bool, question string) (err error) {
	if yes {
		return nil
	}
	ask, err := c.newPrompter()
	if err != nil {
		return err
	}
	if ask == nil {
		return usagef("to change this without a terminal to ask on, give --yes; %s", nothingChanged)
	}
	ask.undone = nothingChanged
	defer func() { err = errors.Join(err, ask.close()) }()
	return ask.confirm(ctx, question, "no")
}
