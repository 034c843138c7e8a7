// SPDX-License-Identifier: Apache-2.0

// What the same costs in Go: labels of a goroutine, by runtime/pprof.
package main

import (
	"context"
	"fmt"
	"runtime/pprof"
	"slices"
	"time"
)

const rounds, turns = 51, 20000

//go:noinline
func nothing(context.Context) {}

func main() {
	plain := context.Background()
	cart := pprof.WithLabels(plain, pprof.Labels("route", "/cart"))
	ways := []struct {
		name string
		run  func()
	}{
		{"Go: SetGoroutineLabels, a set and back", func() {
			pprof.SetGoroutineLabels(cart)
			pprof.SetGoroutineLabels(plain)
		}},
		{"Go: pprof.Do", func() {
			pprof.Do(plain, pprof.Labels("route", "/cart"), nothing)
		}},
		{"Go: pprof.Do, three labels", func() {
			pprof.Do(plain, pprof.Labels("tenant", "seven", "route",
				"/cart", "method", "GET"), nothing)
		}},
	}
	took := make([][]float64, len(ways))
	for range rounds {
		for i, way := range ways {
			begin := time.Now()
			for range turns {
				way.run()
			}
			took[i] = append(took[i],
				float64(time.Since(begin).Nanoseconds())/turns)
		}
	}
	for i, way := range ways {
		slices.Sort(took[i])
		fmt.Printf("%s\t%.2f\n", way.name, took[i][rounds/2])
	}
}
