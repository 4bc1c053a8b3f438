package httpserver

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Compressors are writers of gzip at its fastest level, which are used again. The zero
// Compressors has none yet. Any goroutine may call its methods.
type Compressors struct{ idle sync.Pool }

// Get returns a writer that compresses to w. Close it, then return it with Put.
func (c *Compressors) Get(w io.Writer) *gzip.Writer {
	z, known := c.idle.Get().(*gzip.Writer)
	if !known {
		z, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is valid
		return z
	}
	z.Reset(w)
	return z
}

// Put takes back a writer that is not used any more.
func (c *Compressors) Put(z *gzip.Writer) { c.idle.Put(z) }

// Compress returns text compressed, for answers that are kept.
func Compress(text []byte) []byte {
	var out bytes.Buffer
	z := new(Compressors).Get(&out)
	// Writing to a buffer does not fail.
	_, _ = z.Write(text)
	_ = z.Close()
	return out.Bytes()
}
