// SPDX-License-Identifier: Apache-2.0

// Labels that the program sets are labels of series.
package pyroscope

import (
	"math"
	"slices"
	"testing"
)

func TestLabels(t *testing.T) {
	const name, seconds = "labels", 1.5
	ask := newQuery(pyroscope.url)
	succeed(t, append(named(name), "PYROSCOPE_PROFILE_TYPES=cpu,heap",
		"PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES=256k",
		"PYROSCOPE_SERVER_ADDRESS="+pyroscope.url),
		workload(t, name), "1.5")
	routes := ask.labelValues(t, "route", selector("service_name", name))
	if want := []string{"/cart", "/pay"}; !slices.Equal(routes, want) {
		t.Errorf("routes %v, not %v", routes, want)
	}
	const space = "memory:alloc_space:bytes:space:bytes"
	const block, blocks = 16384, 4096
	for _, c := range []struct {
		kind, label, value, function string
		want, bound                  float64
	}{
		{cpuType, "route", "/cart", "work_thread", 1e9 * seconds, 0.1},
		{cpuType, "route", "/pay", "work_thread", 3e9 * seconds, 0.1},
		{cpuType, "tenant", "seven", "work_thread", 1e9 * seconds, 0.1},
		{cpuType, "route", "", "work_thread", 2e9 * seconds, 0.1},
		// One block is sampled with p = 0.061: four standard deviations.
		{space, "route", "/cart", "allocate", block * blocks, 0.25},
		{space, "route", "/pay", "allocate", 2 * block * blocks, 0.18},
	} {
		which := selector("service_name", name, c.label, c.value)
		got := within(ask.merged(t, c.kind, which), c.function)
		if math.Abs(got-c.want) > c.bound*c.want {
			t.Errorf("%s%s in %s: %.0f, not %.0f", c.kind, which,
				c.function, got, c.want)
		}
	}
}
