package hnsw

// nearest is a heap with the nearest candidate on top.
type nearest struct{ items []candidate }

func (h *nearest) push(c candidate) {
	h.items = append(h.items, c)
	i := len(h.items) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if h.items[parent] <= c {
			break
		}
		h.items[i] = h.items[parent]
		i = parent
	}
	h.items[i] = c
}

func (h *nearest) pop() candidate {
	top, n := h.items[0], len(h.items)-1
	last := h.items[n]
	h.items = h.items[:n]
	if n == 0 {
		return top
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && h.items[child+1] < h.items[child] {
			child++
		}
		if last <= h.items[child] {
			break
		}
		h.items[i] = h.items[child]
		i = child
	}
	h.items[i] = last
	return top
}
