// Appends to immudb's embedded store as its documentation shows it: one transaction for each entry,
// committed and synced, each caller waiting for its own; only more callers than by default are let in.
//
//	immudb-bench DIR CALLERS SECONDS LEAF_BYTES  ->  {"appends": n, "seconds": s}
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codenotary/immudb/embedded/store"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 5 {
		log.Fatal("usage: immudb-bench DIR CALLERS SECONDS LEAF_BYTES")
	}
	callers, seconds, size := number(os.Args[2]), number(os.Args[3]), number(os.Args[4])
	st, err := store.Open(os.Args[1], store.DefaultOptions().WithMaxConcurrency(max(30, int(callers))))
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	leaf := make([]byte, int(size))
	var done atomic.Uint64
	var group sync.WaitGroup
	began := time.Now()
	ends := began.Add(time.Duration(seconds * float64(time.Second)))
	for caller := 0; caller < int(callers); caller++ {
		group.Add(1)
		go func(caller int) {
			defer group.Done()
			for number := 0; time.Now().Before(ends); number++ {
				if err := appendOne(st, caller, number, leaf); err != nil {
					log.Fatal(err)
				}
				done.Add(1)
			}
		}(caller)
	}
	group.Wait()
	result := map[string]float64{
		"appends": float64(done.Load()),
		"seconds": time.Since(began).Seconds(),
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}

func appendOne(st *store.ImmuStore, caller, number int, leaf []byte) error {
	ctx := context.Background()
	tx, err := st.NewWriteOnlyTx(ctx)
	if err != nil {
		return err
	}
	var key [16]byte
	binary.BigEndian.PutUint64(key[:8], uint64(caller))
	binary.BigEndian.PutUint64(key[8:], uint64(number))
	if err := tx.Set(key[:], nil, leaf); err != nil {
		return err
	}
	_, err = tx.Commit(ctx)
	return err
}

func number(text string) float64 {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		log.Fatal(fmt.Errorf("not a number: %s", text))
	}
	return value
}
