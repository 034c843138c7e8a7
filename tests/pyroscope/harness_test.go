// SPDX-License-Identifier: Apache-2.0

// The tests' own tools on a profile that google/pprof has written: what they
// say of the library's profiles is worth as much as this.
package pyroscope

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
)

// madeProfile has n samples with the known shares below main, and a few that
// nothing explains.
func madeProfile(t *testing.T, n int64) []byte {
	t.Helper()
	const period = int64(10 * time.Millisecond)
	cpu := &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}
	p := &profile.Profile{
		SampleType: []*profile.ValueType{
			{Type: "samples", Unit: "count"}, cpu,
		},
		PeriodType: cpu, Period: period,
		TimeNanos:     time.Now().UnixNano() - n*period,
		DurationNanos: n * period,
		Mapping: []*profile.Mapping{{
			ID: 1, Start: 0x1000, Limit: 0x9000, File: "made",
			HasFunctions: true,
		}},
	}
	frame := func(name string) *profile.Location {
		id := uint64(len(p.Function) + 1)
		function := &profile.Function{ID: id, Name: name}
		location := &profile.Location{
			ID: id, Line: []profile.Line{{Function: function}},
		}
		if !pseudo(name) {
			location.Mapping = p.Mapping[0]
			location.Address = 0x1000 + 16*id
		}
		p.Function = append(p.Function, function)
		p.Location = append(p.Location, location)
		return location
	}
	root := frame("main")
	for name, share := range knownShares {
		own := frame(name)
		count := int64(share * float64(n))
		p.Sample = append(p.Sample, &profile.Sample{
			Location: []*profile.Location{own, own, root},
			Value:    []int64{count, count * period},
		})
	}
	p.Sample = append(p.Sample, &profile.Sample{
		Location: []*profile.Location{frame("[unsampled]")},
		Value:    []int64{0, n * period / 100},
	})
	var out bytes.Buffer
	if err := p.WriteUncompressed(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// pushProfile sends it as the library does, and returns the answer's status.
func pushProfile(t *testing.T, url string, pprof []byte,
	labels map[string]string) int {
	t.Helper()
	series := &pushv1.RawProfileSeries{
		Samples: []*pushv1.RawSample{{RawProfile: pprof}},
	}
	for name, value := range labels {
		series.Labels = append(series.Labels,
			&typesv1.LabelPair{Name: name, Value: value})
	}
	request := pushv1.PushRequest{Series: []*pushv1.RawProfileSeries{series}}
	body, err := request.MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	writer.Write(body)
	writer.Close()
	post, err := http.NewRequest(http.MethodPost, url+pushPath, &zipped)
	if err != nil {
		t.Fatal(err)
	}
	post.Header.Set("Content-Type", "application/proto")
	post.Header.Set("Content-Encoding", "gzip")
	post.Header.Set("User-Agent", "pyroscope-c test")
	response, err := http.DefaultClient.Do(post)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

func TestHarness(t *testing.T) {
	const name = "harness"
	const samples = 4000
	labels := map[string]string{"__name__": "process_cpu",
		"service_name": name, "hostname": "made", "__delta__": "false"}
	ask := newQuery(pyroscope.url)
	ask.from = ask.from.Add(-time.Hour)
	made := madeProfile(t, samples)

	t.Run("push", func(t *testing.T) {
		w := newWire(t, pyroscope.url)
		if got := pushProfile(t, w.url, made, labels); got != 200 {
			t.Fatalf("status %d", got)
		}
		w.check(t)
	})
	t.Run("query", func(t *testing.T) {
		which := selector("service_name", name)
		if !slices.Contains(ask.profileTypes(t), cpuType) {
			t.Errorf("types are %v", ask.profileTypes(t))
		}
		sets := ask.series(t, which)
		if len(sets) != 1 || sets[0]["hostname"] != "made" {
			t.Errorf("series are %v", sets)
		}
		cpu, count := ask.merged(t, cpuType, which),
			ask.merged(t, samplesType, which)
		if err := checkShares(cpu, count, knownShares); err != nil {
			t.Error(err)
		}
		want := samples * 101 / 100 * 10 * time.Millisecond
		if err := checkTotal(cpu, want); err != nil {
			t.Error(err)
		}
		if err := checkComplete(cpu, 0, "main"); err != nil {
			t.Error(err)
		}
		names, sum := ask.flamegraph(t, which)
		if sum != int64(want) || !slices.Contains(names, "work_15") {
			t.Errorf("flame graph of %d with %v", sum, names)
		}
		names, sum = ask.render(t, which)
		if sum != int64(want) || !slices.Contains(names, "work_15") {
			t.Errorf("render gives %d with %v", sum, names)
		}
		if points := ask.points(t, which); len(points) != 1 {
			t.Errorf("points are %v", points)
		}
	})
	t.Run("wrong_numbers_are_seen", func(t *testing.T) {
		p := checkProfile(t, made)
		cpu := &profile.Profile{SampleType: p.SampleType, Sample: p.Sample}
		wrong := map[string]float64{"work_50": 0.53}
		if checkShares(cpu, cpu, wrong) == nil {
			t.Errorf("50 %% passes as 53 %%")
		}
		if checkTotal(cpu, 42*time.Second) == nil {
			t.Errorf("40.4 s pass as 42 s")
		}
		if checkComplete(cpu, 0, "start") == nil {
			t.Errorf("stacks without a root pass as complete")
		}
	})
	t.Run("go_tool_pprof", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "made.pb")
		if err := os.WriteFile(file, made, 0o600); err != nil {
			t.Fatal(err)
		}
		rows := goTop(t, file)
		known := table(checkProfile(t, made), 1)
		for name, want := range known {
			got := rows[name]
			if int64(got.flat) != want.flat ||
				int64(got.cum) != want.cum {
				t.Errorf("%s: %v, not %v", name, got, want)
			}
		}
		if len(rows) != len(known) {
			t.Errorf("%d rows, not %d", len(rows), len(known))
		}
	})
	t.Run("refused", func(t *testing.T) {
		bad := bytes.Replace(made, []byte("work_15"),
			[]byte("work_\xff5"), 1)
		if got := pushProfile(t, pyroscope.url, bad, labels); got != 400 {
			t.Errorf("a string that is no UTF-8: status %d", got)
		}
		big := append(bytes.Clone(made),
			stringField(strings.Repeat("x", maxBytes))...)
		if got := pushProfile(t, pyroscope.url, big, labels); got != 429 {
			t.Errorf("%d bytes: status %d", len(big), got)
		}
	})
}

// stringField is one more string for a profile's string table.
func stringField(text string) []byte {
	field := []byte{6<<3 | 2}
	for n := len(text); ; n >>= 7 {
		if n < 0x80 {
			field = append(field, byte(n))
			break
		}
		field = append(field, byte(n)|0x80)
	}
	return append(field, text...)
}
