// SPDX-License-Identifier: Apache-2.0

// Mutex profiles, as the server has them.
package pyroscope

import (
	"slices"
	"testing"
)

func TestMutex(t *testing.T) {
	const name = "mutex"
	const waits, wait = 10, 50e6
	ask := newQuery(pyroscope.url)
	succeed(t, append(named(name), "PYROSCOPE_PROFILE_TYPES=mutex",
		"PYROSCOPE_SERVER_ADDRESS="+pyroscope.url), workload(t, name))
	// Waits are longer where the machine is busy.
	kinds := []struct {
		name        string
		least, most float64
	}{
		{"delay:nanoseconds", waits * wait, 4 * waits * wait},
		{"contentions:count", waits, waits},
	}
	for _, kind := range kinds {
		id := "mutex:" + kind.name + ":contentions:count"
		if !slices.Contains(ask.profileTypes(t), id) {
			t.Errorf("the server has no %s", id)
			continue
		}
		got := within(ask.merged(t, id, selector("service_name", name)),
			"hold_lock")
		if got < kind.least || got > kind.most {
			t.Errorf("%s in hold_lock is %.0f, not %.0f to %.0f", id,
				got, kind.least, kind.most)
		}
	}
}
