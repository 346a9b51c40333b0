package watch

import (
	"bufio"
	"bytes"
	"go/parser"
	"go/token"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// files are those that count, by path.
type files map[string]file

// file is what one held when it was looked at.
type file struct {
	sum      uint64 // of what is in it; of its size and time for a large one
	size     int64
	modified time.Time
	fresh    bool // it was written so shortly before that it may change again and not look it
	embeds   []string
	imports  []string
}

const (
	maxSum = 32 << 20 // bytes: of a larger file the content is not read
	maxGo  = 8 << 20
	// maxEmbeds bounds the patterns of a file.
	maxEmbeds = 1000
	granule   = 2 * time.Second // of the coarsest time stamps of files
)

var seed = maphash.MakeSeed()

// changes are the paths of files that others do not have, or not so, or have besides.
func (f files) changes(others files) []string {
	var out []string
	for path, one := range f {
		if other, ok := others[path]; !ok || other.sum != one.sum {
			out = append(out, path)
		}
	}
	for path := range others {
		if _, ok := f[path]; !ok {
			out = append(out, path)
		}
	}
	return out
}

// readFile has a file of the last look where it looks as it did then, else it is read. One that
// is not there is not among the files.
func (r *round) readFile(path string) file {
	if f, ok := r.read[path]; ok {
		return f
	}
	f, ok := r.content(path)
	if ok {
		r.read[path] = f
	}
	return f
}

func (r *round) content(path string) (file, bool) {
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		target, err := filepath.EvalSymlinks(path)
		if err != nil || !inside(r.dir, target) {
			link, _ := os.Readlink(path)
			return file{sum: maphash.String(seed, link)}, true
		}
		if info, err = os.Stat(target); err != nil {
			return file{}, false
		}
	}
	if err != nil || !info.Mode().IsRegular() {
		return file{}, false
	}
	f := file{size: info.Size(), modified: info.ModTime()}
	if old, ok := r.last.read[path]; ok && !old.fresh && old.size == f.size && old.modified.Equal(f.modified) {
		return old, true
	}
	f.fresh = time.Since(f.modified) < granule
	h := &maphash.Hash{}
	h.SetSeed(seed)
	if f.size > maxSum {
		h.WriteString(strconv.FormatInt(f.size, 10) + " " + f.modified.String())
	} else if source, err := readInto(h, path); err != nil {
		h.WriteString(err.Error()) // when it can be read, that is a change
	} else if strings.HasSuffix(path, ".go") {
		f.embeds, f.imports = embeds(source), imports(source)
	}
	f.sum = h.Sum64()
	return f, true
}

// readInto reads a file, and returns its text if it is a Go file.
func readInto(h *maphash.Hash, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var text bytes.Buffer
	if strings.HasSuffix(path, ".go") {
		if _, err := io.Copy(io.MultiWriter(h, &text), io.LimitReader(f, maxGo)); err != nil {
			return nil, err
		}
	}
	_, err = io.Copy(h, io.LimitReader(f, maxSum))
	return text.Bytes(), err
}

// embeds are the patterns of a Go file's //go:embed. They are read line by line, since
// the file may be broken just now.
func embeds(source []byte) []string {
	var out []string
	lines := bufio.NewScanner(bytes.NewReader(source))
	lines.Buffer(nil, maxGo)
	for lines.Scan() && len(out) < maxEmbeds {
		rest, ok := strings.CutPrefix(lines.Text(), "//go:embed")
		if !ok || rest == strings.TrimLeft(rest, " \t") {
			continue
		}
		for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
			var pattern string
			if quoted, err := strconv.QuotedPrefix(rest); err == nil && quoted[0] != '\'' {
				pattern, _ = strconv.Unquote(quoted) // it is what QuotedPrefix returns
				rest = rest[len(quoted):]
			} else {
				pattern, rest, _ = strings.Cut(strings.ReplaceAll(rest, "\t", " "), " ")
			}
			if filepath.IsLocal(filepath.FromSlash(strings.TrimPrefix(pattern, "all:"))) {
				out = append(out, pattern)
			}
		}
	}
	return out
}

func imports(source []byte) []string {
	parsed, _ := parser.ParseFile(token.NewFileSet(), "", source, parser.ImportsOnly)
	if parsed == nil {
		return nil
	}
	var out []string
	for _, spec := range parsed.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			out = append(out, path)
		}
	}
	return out
}
