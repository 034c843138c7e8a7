// SPDX-License-Identifier: Apache-2.0

// Labels that the program sets are labels of series; spans are found by id.
package pyroscope

import (
	"math"
	"path/filepath"
	"runtime"
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
		{cpuType, "route", "", "work_thread", 5e9 * seconds, 0.1},
		{cpuType, "span_name", "GET /cart", "work_thread",
			1e9 * seconds, 0.1},
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

// The symbolizer forgets which span was asked for, so it is off here.
func TestSpans(t *testing.T) {
	const name, seconds = "spans", 1.5
	runtime.LockOSThread()
	plain, err := startServer(filepath.Join(buildDir, "pyroscope-server"),
		"", filepath.Join(buildDir, "pyroscope-server-spans.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.stop()
	ask, which := newQuery(plain.url), selector("service_name", name)
	succeed(t, append(named(name), "PYROSCOPE_SERVER_ADDRESS="+plain.url),
		workload(t, "labels"), "1.5")
	for _, c := range []struct {
		span string
		want float64
	}{
		{"b701000000000000", 1e9 * seconds},
		{"b702000000000000", 2e9 * seconds},
		{"ffffffff00000000", 0},
	} {
		names, sum := ask.spanProfile(t, which, c.span)
		if math.Abs(float64(sum)-c.want) > 0.1*c.want {
			t.Errorf("span %s: %d ns, not %.0f", c.span, sum, c.want)
		}
		if c.want > 0 && !slices.Contains(names, "work_thread") {
			t.Errorf("span %s: %v", c.span, names)
		}
	}
	for _, set := range ask.series(t, which) {
		if set["span_id"] != "" {
			t.Errorf("a series for a span: %v", set)
		}
	}
}
