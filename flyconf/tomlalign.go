package flyconf

// tomlPair is an element of an old list and one of a new list that it becomes; -1
// where there is none.
type tomlPair struct{ old, new int }

// maxAlign bounds the lists that are compared element by element.
const maxAlign = 100

// align pairs the elements of lists: those that are the same, and between them the
// others in order.
func align(have, want []any) []tomlPair {
	start, end, least := 0, 0, min(len(have), len(want))
	for start < least && samePlain(have[start], want[start]) {
		start++
	}
	for end < least-start && samePlain(have[len(have)-1-end], want[len(want)-1-end]) {
		end++
	}
	var pairs []tomlPair
	for i := range start {
		pairs = append(pairs, tomlPair{i, i})
	}
	at := tomlPair{start, start}
	for _, same := range common(have[start:len(have)-end], want[start:len(want)-end]) {
		same.old, same.new = same.old+start, same.new+start
		pairs = append(pairInOrder(pairs, at, same), same)
		at = tomlPair{same.old + 1, same.new + 1}
	}
	pairs = pairInOrder(pairs, at, tomlPair{len(have) - end, len(want) - end})
	for i := end; i > 0; i-- {
		pairs = append(pairs, tomlPair{len(have) - i, len(want) - i})
	}
	return pairs
}

// pairInOrder pairs elements that differ, from one place in the lists to another.
func pairInOrder(pairs []tomlPair, from, to tomlPair) []tomlPair {
	for from.old < to.old || from.new < to.new {
		pair := from
		if from.old >= to.old {
			pair.old = -1
		}
		if from.new >= to.new {
			pair.new = -1
		}
		pairs = append(pairs, pair)
		from.old++
		from.new++
	}
	return pairs
}

// common finds the most elements that are the same in the same order.
func common(have, want []any) []tomlPair {
	if len(have) > maxAlign || len(want) > maxAlign {
		return nil
	}
	most := make([][]int, len(have)+1) // from an element of each on
	most[len(have)] = make([]int, len(want)+1)
	same := make([][]bool, len(have))
	for i := len(have) - 1; i >= 0; i-- {
		most[i], same[i] = make([]int, len(want)+1), make([]bool, len(want))
		for j := len(want) - 1; j >= 0; j-- {
			if same[i][j] = samePlain(have[i], want[j]); same[i][j] {
				most[i][j] = most[i+1][j+1] + 1
			} else {
				most[i][j] = max(most[i+1][j], most[i][j+1])
			}
		}
	}
	var pairs []tomlPair
	for i, j := 0, 0; i < len(have) && j < len(want); {
		switch {
		case same[i][j]:
			pairs = append(pairs, tomlPair{i, j})
			i, j = i+1, j+1
		case most[i+1][j] >= most[i][j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}
