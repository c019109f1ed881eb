package main

import (
	"bytes"
	"fmt"
	"slices"
)

// stub is a pair of functions in assembly, of a set of instructions: for one row, and for many or, where four is set,
// for four.
type stub struct {
	name, set, sum string
	four           bool
}

func x86Stubs(all []*x86Kernel) []stub {
	var stubs []stub
	for _, k := range all {
		stubs = append(stubs, stub{k.name, k.set, k.sum, false})
	}
	return stubs
}

func armStubs(all []*armKernel) []stub {
	var stubs []stub
	for _, k := range all {
		stubs = append(stubs, stub{k.name, k.set, k.sum, true})
	}
	return stubs
}

// declare writes the Go declarations of functions, and a method for each set of instructions that binds them.
func declare(constraint string, stubs []stub) []byte {
	var (
		b    bytes.Buffer
		sets []string
	)
	fmt.Fprintf(&b, "%s\n//go:build %s\n\npackage vec\n\nimport \"unsafe\"\n", header, constraint)
	for _, s := range stubs {
		fmt.Fprintf(&b, "\n//go:noescape\nfunc %s%s(query, row unsafe.Pointer, n int) %s\n", s.name, s.set, s.sum)
		if s.four {
			fmt.Fprintf(&b, "\n//go:noescape\nfunc %sx4%s(query unsafe.Pointer, n int, row0, row1, row2, row3, "+
				"next0, next1, next2, next3 unsafe.Pointer, sums *[4]%s)\n", s.name, s.set, s.sum)
		} else {
			fmt.Fprintf(&b, "\n//go:noescape\nfunc %sMany%s(query unsafe.Pointer, n int, rows *unsafe.Pointer, "+
				"count int, sums *%s)\n", s.name, s.set, s.sum)
		}
		if !slices.Contains(sets, s.set) {
			sets = append(sets, s.set)
		}
	}
	for _, set := range sets {
		fmt.Fprintf(&b, "\nfunc (k *kernels) use%s() {\n", set)
		for _, s := range stubs {
			if s.set == set {
				many := s.name + "Many" + set
				if s.four {
					many = "fours(" + s.name + "x4" + set + ")"
				}
				fmt.Fprintf(&b, "\tk.%[1]s.one, k.%[1]s.many = %[1]s%[2]s, %[3]s\n", s.name, set, many)
			}
		}
		b.WriteString("}\n")
	}
	return b.Bytes()
}
