// SPDX-License-Identifier: Apache-2.0

// Block profiles, as the server has them.
package pyroscope

import (
	"slices"
	"testing"
)

func TestBlock(t *testing.T) {
	const name = "block"
	const waits, wait = 10, 50e6
	ask := newQuery(pyroscope.url)
	succeed(t, append(named(name), "PYROSCOPE_PROFILE_TYPES=block",
		"PYROSCOPE_SERVER_ADDRESS="+pyroscope.url), workload(t, name))
	// Waits are longer where the machine is busy, and then a reader may come
	// when there is something to read.
	kinds := []struct {
		name, function, class string
		least, most           float64
	}{
		{"delay:nanoseconds", "wait_cond", "sync", waits * wait,
			4 * waits * wait},
		{"delay:nanoseconds", "wait_read", "io", 0.5 * waits * wait,
			4 * waits * wait},
		{"contentions:count", "wait_cond", "sync", waits, waits},
		{"contentions:count", "wait_read", "io", waits / 2, waits},
	}
	for _, kind := range kinds {
		id := "block:" + kind.name + ":contentions:count"
		if !slices.Contains(ask.profileTypes(t), id) {
			t.Errorf("the server has no %s", id)
			continue
		}
		which := selector("service_name", name, "wait_class", kind.class)
		got := within(ask.merged(t, id, which), kind.function)
		if got < kind.least || got > kind.most {
			t.Errorf("%s in %s is %.0f, not %.0f to %.0f", id,
				kind.function, got, kind.least, kind.most)
		}
	}
}
