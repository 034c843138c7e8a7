// SPDX-License-Identifier: Apache-2.0

// Threads profiles, as the server has them: under their own name and under the one
// that Grafana knows.
package pyroscope

import (
	"slices"
	"testing"
)

func TestThreads(t *testing.T) {
	const name = "threads"
	ask := newQuery(pyroscope.url)
	succeed(t, append(named(name),
		"PYROSCOPE_PROFILE_TYPES=threads,goroutines",
		"PYROSCOPE_SERVER_ADDRESS="+pyroscope.url), workload(t, name))
	for _, id := range []string{
		"threads:threads:count:threads:count",
		"goroutines:goroutine:count:goroutine:count",
	} {
		if !slices.Contains(ask.profileTypes(t), id) {
			t.Errorf("the server has no %s", id)
			continue
		}
		for _, c := range []struct {
			thread, function string
			want             float64
		}{
			{"five", "stand_here", 5},
			{"one", "stand_there", 1},
			{"five", "stand_there", 0},
			{name, "main", 1},
		} {
			which := selector("service_name", name,
				"thread", c.thread, "state", "sleeping")
			got := within(ask.merged(t, id, which), c.function)
			if got != c.want {
				t.Errorf("%s%s: %.0f in %s, not %.0f", id, which,
					got, c.function, c.want)
			}
		}
	}
}
