// SPDX-License-Identifier: Apache-2.0

// Heap profiles, as the server has them.
package pyroscope

import (
	"math"
	"slices"
	"testing"

	"github.com/google/pprof/profile"
)

// within sums the stacks of a function.
func within(p *profile.Profile, function string) float64 {
	var sum int64
	for _, sample := range p.Sample {
		if slices.Contains(frames(sample), function) {
			sum += sample.Value[0]
		}
	}
	return float64(sum)
}

func TestHeap(t *testing.T) {
	const name = "heap"
	const block, kept, all = 16384, 4096, 16384
	ask, which := newQuery(pyroscope.url), selector("service_name", name)
	succeed(t, append(named(name), "PYROSCOPE_PROFILE_TYPES=cpu,heap",
		"PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES=256k",
		"PYROSCOPE_SERVER_ADDRESS="+pyroscope.url), workload(t, name))
	// One block is sampled with p = 0.061: four standard deviations.
	kinds := []struct {
		name, function string
		want, bound    float64
	}{
		{"inuse_space:bytes", "keep", kept * block, 0.25},
		{"inuse_objects:count", "keep", kept, 0.25},
		{"inuse_space:bytes", "churn", 0, 0},
		{"alloc_space:bytes", "keep", kept * block, 0.25},
		{"alloc_space:bytes", "churn", all * block, 0.13},
		{"alloc_objects:count", "churn", all, 0.13},
	}
	for _, kind := range kinds {
		id := "memory:" + kind.name + ":space:bytes"
		if !slices.Contains(ask.profileTypes(t), id) {
			t.Errorf("the server has no %s", id)
			continue
		}
		got := within(ask.merged(t, id, which), kind.function)
		if math.Abs(got-kind.want) > kind.bound*kind.want {
			t.Errorf("%s in %s is %.0f, not %.0f", id,
				kind.function, got, kind.want)
		}
	}
}
