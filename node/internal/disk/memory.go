package disk

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
)

// ErrCrashed is the error of every step on a Memory from its crash until its restart.
var ErrCrashed = errors.New("the power is cut")

// Memory is a file system in memory for tests, whose power can be cut before any step. What was not synced then is at
// the mercy of a random source: of content since the last Sync, a prefix, and maybe garbage in place of it, is left; of
// the names in a directory that changed since the last SyncDir, the first few changes. Directories need not be made.
//
// It is safe for concurrent use.
type Memory struct {
	mu struct {
		sync.Mutex
		memory
	}
}

// memory is the state of a Memory.
type memory struct {
	random  *rand.Rand
	names   map[string]*content   // as programs see them
	durable map[string]*content   // as they were at the last SyncDir
	pending map[string][]renaming // by directory: what happened since, in order
	left    int                   // steps until the crash; < 0: none planned
	steps   int
	crashed bool
	epoch   int // restarts so far: files of an earlier one are dead
}

type content struct {
	data   []byte
	synced []byte // what a crash cannot take away
}

// renaming is a change of names: from goes ("" for none), to comes or, with a nil content, goes.
type renaming struct {
	from, to string
	content  *content
}

// NewMemory returns an empty file system. The seed decides what crashes leave.
func NewMemory(seed uint64) *Memory {
	m := &Memory{}
	m.mu.memory = memory{
		random: rand.New(rand.NewPCG(seed, 0)), left: -1,
		names: map[string]*content{}, durable: map[string]*content{}, pending: map[string][]renaming{},
	}
	return m
}

// CrashAfter cuts the power before the step that follows the next n ones.
func (m *Memory) CrashAfter(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.left = n
}

// Steps returns how many steps succeeded so far: creations, writes, syncs, renamings, removals.
func (m *Memory) Steps() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.steps
}

// Restart cuts the power, if it is not cut yet, and turns it on again. Files open before are dead.
func (m *Memory) Restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.restart()
}

func (m *memory) restart() {
	for _, dir := range slices.Sorted(maps.Keys(m.pending)) {
		list := m.pending[dir]
		for _, r := range list[:m.random.IntN(len(list)+1)] {
			r.apply(m.durable)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.durable)) {
		m.durable[name] = &content{data: m.torn(m.durable[name])}
		m.durable[name].synced = m.durable[name].data
	}
	m.names, m.pending = maps.Clone(m.durable), map[string][]renaming{}
	m.left, m.crashed = -1, false
	m.epoch++
}

// torn returns what is left of content: what was synced, or any part of what was written after it.
func (m *memory) torn(c *content) []byte {
	if bytes.Equal(c.data, c.synced) || m.random.IntN(3) == 0 {
		return c.synced
	}
	left := slices.Clone(c.data[:m.random.IntN(len(c.data)+1)])
	if len(left) > 0 && m.random.IntN(2) == 0 {
		left[m.random.IntN(len(left))] ^= byte(1 + m.random.IntN(255))
	}
	return left
}

func (r renaming) apply(names map[string]*content) {
	delete(names, r.from)
	if r.content == nil {
		delete(names, r.to)
	} else {
		names[r.to] = r.content
	}
}

// step counts a step, and fails it if the power is or goes off.
func (m *memory) step() error {
	if m.left == 0 {
		m.crashed = true
	}
	if m.crashed {
		return ErrCrashed
	}
	m.left--
	m.steps++
	return nil
}

func (m *memory) change(r renaming) {
	r.apply(m.names)
	dir := filepath.Dir(r.to)
	m.pending[dir] = append(m.pending[dir], r)
}

// Create makes or empties a file.
func (m *Memory) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.mu.step(); err != nil {
		return nil, err
	}
	name = filepath.Clean(name)
	c := m.mu.names[name]
	if c == nil {
		c = &content{}
		m.mu.change(renaming{to: name, content: c})
	}
	c.data = nil
	return &memoryFile{fs: m, content: c, epoch: m.mu.epoch}, nil
}

// Read returns a file's content as programs see it.
func (m *Memory) Read(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.crashed {
		return nil, ErrCrashed
	}
	c := m.mu.names[filepath.Clean(name)]
	if c == nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return slices.Clone(c.data), nil
}

// Rename renames a file within its directory.
func (m *Memory) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.mu.step(); err != nil {
		return err
	}
	from, to = filepath.Clean(from), filepath.Clean(to)
	c := m.mu.names[from]
	if c == nil || filepath.Dir(from) != filepath.Dir(to) {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	m.mu.change(renaming{from: from, to: to, content: c})
	return nil
}

// Remove removes a file's name.
func (m *Memory) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.mu.step(); err != nil {
		return err
	}
	name = filepath.Clean(name)
	if m.mu.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	m.mu.change(renaming{to: name})
	return nil
}

// SyncDir makes the names of a directory durable.
func (m *Memory) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.mu.step(); err != nil {
		return err
	}
	dir = filepath.Clean(dir)
	for _, r := range m.mu.pending[dir] {
		r.apply(m.mu.durable)
	}
	delete(m.mu.pending, dir)
	return nil
}

type memoryFile struct {
	fs      *Memory
	content *content
	epoch   int
}

// step runs f as a step, unless the file was opened before a crash.
func (f *memoryFile) step(do func()) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.epoch != f.fs.mu.epoch {
		return ErrCrashed
	}
	err := f.fs.mu.step()
	if err == nil {
		do()
	}
	return err
}

func (f *memoryFile) Write(b []byte) (int, error) {
	err := f.step(func() { f.content.data = append(f.content.data, b...) })
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

func (f *memoryFile) Sync() error {
	return f.step(func() { f.content.synced = slices.Clone(f.content.data) })
}

func (f *memoryFile) Close() error { return nil }
