// SPDX-License-Identifier: Apache-2.0

// Threads profiles, as the server has them: under their own name and under the one
// that Grafana knows; and by who has created them.
package pyroscope

import (
	"slices"
	"testing"
)

func TestThreads(t *testing.T) {
	const name = "threads"
	ask := newQuery(pyroscope.url)
	succeed(t, append(named(name),
		"PYROSCOPE_PROFILE_TYPES=threads,goroutines,thread_creation",
		"PYROSCOPE_SERVER_ADDRESS="+pyroscope.url), workload(t, name))
	const threads = "threads:threads:count:threads:count"
	const goroutines = "goroutines:goroutine:count:goroutine:count"
	const creation = "thread_creation:threads:count:threads:count"
	for _, c := range []struct {
		id, thread, function string
		want                 float64
	}{
		{threads, "five", "stand_here", 5},
		{threads, "one", "stand_there", 1},
		{threads, "five", "stand_there", 0},
		{threads, name, "main", 1},
		{goroutines, "five", "stand_here", 5},
		{goroutines, "one", "stand_there", 1},
		{creation, "five", "main", 5},
		{creation, "one", "main", 1},
	} {
		if !slices.Contains(ask.profileTypes(t), c.id) {
			t.Errorf("the server has no %s", c.id)
			continue
		}
		which := selector("service_name", name,
			"thread", c.thread, "state", "sleeping")
		got := within(ask.merged(t, c.id, which), c.function)
		if got != c.want {
			t.Errorf("%s%s: %.0f in %s, not %.0f", c.id, which,
				got, c.function, c.want)
		}
	}
}
