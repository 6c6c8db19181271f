// Package hookgate is the contract of Hookgate for Go: what wit/deps/hookgate.wit says, in the
// canonical ABI of components.
//
// What the host gives lies in memory that cabi_realloc made. It is never freed: an instance lives for
// one webhook.
package hookgate

import (
	"runtime"
	"unsafe"
)

// Text and lists as the canonical ABI has them. Go's own pointers are wider.
type slice struct{ at, length uint32 }

type maybe struct {
	some  uint8
	value slice
}

type pair struct{ name, value slice }

// pinned keeps what a stage returned until the instance is gone.
var pinned runtime.Pinner

//go:linkname sbrk runtime.sbrk
func sbrk(n uintptr) unsafe.Pointer

// The host may call this before Go's runtime has begun, so the memory is not the collector's.
//
//go:wasmexport cabi_realloc
func cabiRealloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if room := uintptr(end) - uintptr(next) &^ 15; next == nil || room < size+16 {
		const block = 64 << 10
		next = sbrk((size + 16 + block - 1) &^ (block - 1))
		end = unsafe.Add(next, (size+16+block-1)&^(block-1))
	}
	at := unsafe.Pointer((uintptr(next) + 15) &^ 15)
	next = unsafe.Add(at, size)
	if oldSize > 0 {
		copy(unsafe.Slice((*byte)(at), size), unsafe.Slice((*byte)(old), oldSize))
	}
	return at
}

var next, end unsafe.Pointer

func lower(text string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(text)), uint32(len(text))
}

func (s slice) pointer() unsafe.Pointer { return unsafe.Pointer(uintptr(s.at)) }

func (s slice) text() string { return unsafe.String((*byte)(s.pointer()), s.length) }

func (m maybe) text() (string, bool) {
	if m.some == 0 {
		return "", false
	}
	return m.value.text(), true
}

func keep(text string) slice {
	at, length := lower(text)
	if length > 0 {
		pinned.Pin(at)
	}
	return slice{uint32(uintptr(at)), length}
}

func keepPairs(pairs [][2]string) slice {
	if len(pairs) == 0 {
		return slice{}
	}
	list := make([]pair, len(pairs))
	for i, p := range pairs {
		list[i] = pair{keep(p[0]), keep(p[1])}
	}
	at := unsafe.Pointer(unsafe.SliceData(list))
	pinned.Pin(at)
	return slice{uint32(uintptr(at)), uint32(len(list))}
}
