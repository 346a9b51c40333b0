package page_test

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

var update = flag.Bool("update", false, "make the pictures in docs anew, of a real session")

// The pictures of the page in docs, light and dark. With -update they are made: three
// regions as far apart as they are, some reads, and two writes that have been replayed.
func TestScreenshots(t *testing.T) {
	const width, height, most = 1440, 1000, 300_000
	names := map[bool]string{false: "../../docs/dev.png", true: "../../docs/dev-dark.png"}
	if *update {
		s := real(t, "real", 8080)
		for _, dark := range []bool{false, true} {
			b := open(t, s.URL("")+"/_flysql", window{width: width, height: height, dark: dark, still: true})
			// LiteFS complains of a socket of Fly's once, and it is of no interest here.
			b.until(`document.querySelector("#lines").textContent.split("cannot set environment metadata").length > 3`)
			b.click(`document.querySelector("#lclear")`)
			b.click(`document.querySelector("#clear")`)
			for i := range 4 {
				for _, region := range []string{"ams", "ord", "syd"} {
					read(t, s, region)
				}
				sign(t, s, []string{"ord", "syd"}[i%2], fmt.Sprintf("Greetings, %d", i))
			}
			b.until(rows + ` >= 16`)
			sign(t, s, "ord", "The last but one")
			sign(t, s, "syd", "The last")
			b.until(rows + ` >= 18 && document.querySelectorAll("#traffic > *").length >= 3`)
			b.run(chromedp.Evaluate(`document.querySelectorAll("#requests .row")[1].click(); document.querySelector("#requests").scrollTop = 0; scrollTo(0, 0)`, nil))
			var picture []byte
			b.run(chromedp.CaptureScreenshot(&picture))
			write(t, names[dark], picture)
		}
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := png.DecodeConfig(bytes.NewReader(data))
		if err != nil || c.Width != width || c.Height != height || len(data) > most {
			t.Errorf("%s has %d x %d points and %d bytes, %v: want %d x %d, and at most %d bytes", filepath.Base(name), c.Width, c.Height, len(data), err, width, height, most)
		}
	}
}

// write keeps the 256 colours that a picture has most of: a third of the size, and no eye
// sees it.
func write(t *testing.T, name string, picture []byte) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	size := img.Bounds()
	often := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(img.At(x, y)).(color.RGBA) }
	for y := range size.Dy() {
		for x := range size.Dx() {
			often[at(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(often), func(a, b color.RGBA) int { return often[b] - often[a] })
	few := image.NewPaletted(size, nil)
	for _, c := range colours[:min(len(colours), 256)] {
		few.Palette = append(few.Palette, c)
	}
	nearest := map[color.RGBA]uint8{}
	for _, c := range colours {
		nearest[c] = uint8(few.Palette.Index(c))
	}
	for y := range size.Dy() {
		for x := range size.Dx() {
			few.SetColorIndex(x, y, nearest[at(x, y)])
		}
	}
	var out bytes.Buffer
	best := png.Encoder{CompressionLevel: png.BestCompression}
	if err := best.Encode(&out, few); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
