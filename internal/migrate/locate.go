package migrate

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// locate returns the line and column in file, both from 1, of the byte at offset in the last of queries.
// queries are what a tool has run from this file, in order. It returns 0, 0 when the last one is not in
// the file, and column 0 when only the line is known.
//
// The tools do not run a file as it stands: goose leaves out comments and annotations between statements,
// trims what is left and drops carriage returns. So queries are looked for line by line, each after the
// one before it: two statements may read the same.
func locate(file string, queries []string, offset int) (line, column int) {
	lines := strings.Split(file, "\n")
	substituted := substitutes(file)
	from := 0
	for i, q := range queries {
		// What follows the last line of text may be cut off in the middle, as by dbmate before its down part.
		found := matchLines(lines[from:], strings.Split(strings.TrimRightFunc(q, unicode.IsSpace), "\n"), substituted)
		if found == nil {
			continue
		}
		if i == len(queries)-1 {
			return position(lines[from:], found, from, q, offset)
		}
		from += found[len(found)-1] + 1
	}
	return 0, 0
}

// position turns an offset in q into a place in the file, given the index in lines of each line of q.
func position(lines []string, found []int, before int, q string, offset int) (line, column int) {
	head := q[:min(max(offset, 0), len(q))]
	row := min(strings.Count(head, "\n"), len(found)-1)
	head = head[strings.LastIndexByte(head, '\n')+1:]
	inFile, inQuery := lines[found[row]], strings.Split(q, "\n")[row]
	line = before + found[row] + 1
	if strings.TrimSpace(inFile) != strings.TrimSpace(inQuery) {
		return line, 0 // variables were put in: columns do not match
	}
	return line, utf8.RuneCountInString(head) + 1 + indent(inFile) - indent(inQuery)
}

// matchLines finds the first run of lines that reads as query and returns the index of each, nil if there
// is none. With substituted, a line with a variable in it reads as anything.
func matchLines(lines, query []string, substituted bool) []int {
	for at := range lines {
		if found := matchAt(lines, at, query, substituted); found != nil {
			return found
		}
	}
	return nil
}

func matchAt(lines []string, at int, query []string, substituted bool) []int {
	found := make([]int, 0, 1)
	for _, q := range query {
		q = strings.TrimSpace(q)
		for len(found) > 0 && at < len(lines) && isAnnotation(lines[at]) && strings.TrimSpace(lines[at]) != q {
			at++ // goose takes its annotations out of the middle of a statement too
		}
		if at == len(lines) {
			return nil
		}
		l := strings.TrimSpace(lines[at])
		if l != q && !(substituted && strings.Contains(l, "$")) {
			return nil
		}
		found = append(found, at)
		at++
	}
	return found
}

// substitutes tells whether goose puts variables of the environment into the file.
func substitutes(file string) bool {
	for line := range strings.Lines(file) {
		if isAnnotation(line) && gooseAnnotation([]byte(line)) == "ENVSUB ON" {
			return true
		}
	}
	return false
}

func isAnnotation(line string) bool {
	return strings.HasPrefix(line, "--") && strings.Contains(line, "+goose")
}

// indent returns how many characters of white space line begins with.
func indent(line string) int {
	return utf8.RuneCountInString(line[:len(line)-len(strings.TrimLeftFunc(line, unicode.IsSpace))])
}

// locateQuoted finds the first Go-quoted text in message that stands in file: the libraries quote the line
// they cannot read.
func locateQuoted(file, message string) (line, column int) {
	for {
		i := strings.IndexByte(message, '"')
		if i < 0 {
			return 0, 0
		}
		message = message[i:]
		quoted, err := strconv.QuotedPrefix(message)
		if err != nil {
			message = message[1:]
			continue
		}
		message = message[len(quoted):]
		text, err := strconv.Unquote(quoted)
		if err != nil || strings.TrimSpace(text) == "" {
			continue
		}
		if line, column = locate(file, []string{text}, 0); line > 0 {
			return line, column
		}
	}
}
