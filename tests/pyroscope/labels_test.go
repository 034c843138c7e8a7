// SPDX-License-Identifier: Apache-2.0

// Labels that the program sets are labels of series; spans are found by id.
package pyroscope

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
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
	runtime.LockOSThread()
	plain, err := startServer(filepath.Join(buildDir, "pyroscope-server"),
		"", filepath.Join(buildDir, "pyroscope-server-spans.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.stop()
	t.Run("push", func(t *testing.T) { checkSpans(t, plain.url, "push", 1.5) })
	t.Run("ingest", func(t *testing.T) { checkSpans(t, plain.url, "ingest", 0.7) })
}

func checkSpans(t *testing.T, server, format string, seconds float64) {
	name := "spans by " + format
	ask, which := newQuery(server), selector("service_name", name)
	succeed(t, append(named(name), "PYROSCOPE_FORMAT="+format,
		"PYROSCOPE_SERVER_ADDRESS="+server), workload(t, "labels"),
		fmt.Sprint(seconds))
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
		if set["span_id"] != "" || set["trace_id"] != "" {
			t.Errorf("a series for a span: %v", set)
		}
	}
}

// traces returns which traces the samples of CPU time are of, by their spans.
func traces(t *testing.T, env ...string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	succeed(t, append(named("traces"), append(env,
		"PYROSCOPE_OUTPUT_DIR="+dir)...), workload(t, "labels"), "0.3")
	files, err := filepath.Glob(filepath.Join(dir, "*.pb.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no profiles: %v", err)
	}
	found := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, sample := range checkProfile(t, data).Sample {
			if span := sample.Label["span_id"]; span != nil {
				found[span[0]] = strings.Join(
					sample.Label["trace_id"], " ")
			}
		}
	}
	return found
}

func TestTraces(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	for _, c := range []struct{ setting, want string }{
		{"", ""}, {"PYROSCOPE_TRACE_IDS=1", trace},
	} {
		got := traces(t, c.setting)
		want := map[string]string{
			"b701000000000000": c.want, "b702000000000000": c.want,
		}
		if !maps.Equal(got, want) {
			t.Errorf("%q: %v", c.setting, got)
		}
	}

	// Why the setting is off unless asked for. A server that keeps them with
	// the samples, 2.1 or later, has one series here.
	const name, count = "trace series", 4
	p := checkProfile(t, madeProfile(t, 1000))
	for i, sample := range p.Sample {
		sample.Label = map[string][]string{
			"span_id":  {"b701000000000000"},
			"trace_id": {fmt.Sprintf("%032x", i%count+1)},
		}
	}
	var made bytes.Buffer
	if err := p.WriteUncompressed(&made); err != nil {
		t.Fatal(err)
	}
	ask := newQuery(pyroscope.url)
	ask.from = ask.from.Add(-time.Hour)
	if got := pushProfile(t, pyroscope.url, made.Bytes(), map[string]string{
		"__name__": "process_cpu", "service_name": name,
	}); got != 200 {
		t.Fatalf("status %d", got)
	}
	sets := ask.series(t, selector("service_name", name))
	if len(sets) != count || sets[0]["trace_id"] == "" {
		t.Errorf("series are %v", sets)
	}
}
