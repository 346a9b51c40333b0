package flyconf

// Nearest returns the candidate that a typo may have meant, or "".
func Nearest(word string, candidates []string) string {
	if len(word) > 64 {
		return "" // no typo of any key; comparing it would take long
	}
	best, distance := "", len(word)/3+1
	for _, c := range candidates {
		if d := edits(word, c); d <= distance && (best == "" || d < distance) {
			best, distance = c, d
		}
	}
	return best
}

// edits counts the insertions, deletions and substitutions from a to b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
