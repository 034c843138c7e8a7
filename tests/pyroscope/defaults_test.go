// SPDX-License-Identifier: Apache-2.0

// What is profiled where nobody says what.
package pyroscope

import "testing"

func TestDefaults(t *testing.T) {
	const name = "ten"
	ask := newQuery(pyroscope.url)
	// Empty is not set.
	succeed(t, append(named(name), "PYROSCOPE_PROFILE_TYPES=",
		"PYROSCOPE_SERVER_ADDRESS="+pyroscope.url), workload(t, name))
	for _, kind := range []string{
		cpuType,
		"memory:alloc_objects:count:space:bytes",
		"memory:alloc_space:bytes:space:bytes",
		"memory:inuse_objects:count:space:bytes",
		"memory:inuse_space:bytes:space:bytes",
		"threads:threads:count:threads:count",
		"mutex:contentions:count:contentions:count",
		"mutex:delay:nanoseconds:contentions:count",
		"block:contentions:count:contentions:count",
		"block:delay:nanoseconds:contentions:count",
	} {
		p := ask.merged(t, kind, selector("service_name", name))
		if total(p, 0) <= 0 {
			t.Errorf("nothing of %s", kind)
		}
	}
}
