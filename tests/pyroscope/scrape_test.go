// SPDX-License-Identifier: Apache-2.0

// Profiles that are scraped as Alloy's pyroscope.scrape does it, and pushed by
// who has scraped them; and what go tool pprof makes of two of them.
package pyroscope

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// scraped is a running workload/scraped.
type scraped struct {
	url    string
	pid    int
	input  io.WriteCloser
	output *bufio.Reader
}

func startScraped(t *testing.T) *scraped {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := socket.Addr().String()
	socket.Close()
	program := exec.Command(workload(t, "scraped"), address)
	program.Env = append(os.Environ(), "PYROSCOPE_FORMAT=none",
		"PYROSCOPE_PROFILE_TYPES=cpu,heap,mutex,block,threads",
		"PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES=256k")
	s := &scraped{url: "http://" + address}
	if s.input, err = program.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.input.Close()
		program.Wait()
	})
	s.pid, s.output = program.Process.Pid, bufio.NewReader(output)
	s.expect(t, "ready\n")
	return s
}

func (s *scraped) expect(t *testing.T, want string) {
	t.Helper()
	if got, err := s.output.ReadString('\n'); got != want {
		t.Fatalf("%q, not %q: %v", got, want, err)
	}
}

// work has it do one known piece of work.
func (s *scraped) work(t *testing.T) {
	t.Helper()
	if _, err := s.input.Write([]byte{'\n'}); err != nil {
		t.Fatal(err)
	}
	s.expect(t, "done\n")
}

// cpu is the process's time by the kernel's account, in ticks of 10 ms.
func (s *scraped) cpu(t *testing.T) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')'):]))
	user, _ := strconv.Atoi(fields[12])
	system, _ := strconv.Atoi(fields[13])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// target is one of the requests of pyroscope.scrape.
type target struct {
	name, path string
	// Where the scraper takes the difference to what it had last.
	delta []string
	// Where it does not, as the target has done so.
	godeltaprof bool
	client      *http.Client
	last        map[string][]int64
}

// The first five are on unless Alloy is told otherwise. With an interval of two
// seconds the delta profiles are of one.
func newTargets() []*target {
	targets := []*target{
		{name: "process_cpu", path: "/debug/pprof/profile?seconds=1"},
		{name: "memory", path: "/debug/pprof/allocs",
			delta: []string{"alloc_objects", "alloc_space"}},
		{name: "goroutine", path: "/debug/pprof/goroutine"},
		{name: "mutex", path: "/debug/pprof/mutex",
			delta: []string{"contentions", "delay"}},
		{name: "block", path: "/debug/pprof/block",
			delta: []string{"contentions", "delay"}},
		{name: "fgprof", path: "/debug/fgprof?seconds=1"},
		{name: "memory", path: "/debug/pprof/delta_heap", godeltaprof: true},
		{name: "mutex", path: "/debug/pprof/delta_mutex", godeltaprof: true},
		{name: "block", path: "/debug/pprof/delta_block", godeltaprof: true},
	}
	for _, one := range targets {
		// Without Accept-Encoding, as Prometheus's client is made.
		one.client = &http.Client{
			Transport: &http.Transport{DisableCompression: true},
		}
	}
	return targets
}

// fetch refuses what Alloy refuses.
func (one *target) fetch(t *testing.T, url string) []byte {
	t.Helper()
	limit, cancel := context.WithTimeout(context.Background(), 11*time.Second)
	defer cancel()
	get, err := http.NewRequestWithContext(limit, "GET", url+one.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	get.Header.Set("User-Agent", "Alloy/v1.11.0 (linux; binary)")
	answer, err := one.client.Do(get)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode/100 != 2 || len(body) == 0 {
		t.Fatalf("%s: %s, %d bytes, %v", one.path, answer.Status,
			len(body), err)
	}
	kind := answer.Header.Get("Content-Type")
	if !strings.HasPrefix(kind, "application/octet-stream") {
		t.Fatalf("%s: Content-Type %q", one.path, kind)
	}
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		t.Fatalf("%s: not gzip", one.path)
	}
	return body
}

// difference is to the profile that it had last, in the types of which Alloy
// takes it; nil for the first.
func (one *target) difference(t *testing.T, now []byte) []byte {
	t.Helper()
	p, err := profile.ParseData(now)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckValid(); err != nil {
		t.Error(err)
	}
	had, first := one.last, one.last == nil
	one.last = map[string][]int64{}
	for _, sample := range p.Sample {
		key := fmt.Sprint(frames(sample), sample.Label)
		before := one.last[key]
		if before == nil {
			before = make([]int64, len(p.SampleType))
		}
		for i := range before {
			before[i] += sample.Value[i]
		}
		one.last[key] = before
	}
	if first {
		return nil
	}
	for _, sample := range p.Sample {
		key := fmt.Sprint(frames(sample), sample.Label)
		for i, kind := range p.SampleType {
			if had[key] != nil && slices.Contains(one.delta, kind.Type) {
				// Of several with one key the first has it all.
				sample.Value[i] -= had[key][i]
			}
		}
		delete(had, key)
	}
	var out bytes.Buffer
	if err := p.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// scrape asks all targets once and pushes what they have.
func (s *scraped) scrape(t *testing.T, targets []*target) {
	t.Helper()
	for _, one := range targets {
		body := one.fetch(t, s.url)
		labels := map[string]string{
			"__name__": one.name, "service_name": "scraped",
			"job": "test", "instance": s.url[len("http://"):],
		}
		if one.godeltaprof {
			labels["service_name"] = "scraped deltas"
		}
		if one.delta != nil {
			labels["__delta__"] = "false"
			if body = one.difference(t, body); body == nil {
				continue
			}
		}
		if got := pushProfile(t, pyroscope.url, body, labels); got != 200 {
			t.Errorf("%s: status %d", one.path, got)
		}
	}
}

func TestScrape(t *testing.T) {
	const block, kept, churned = 16384, 4096, 16384
	ask, s, targets := newQuery(pyroscope.url), startScraped(t), newTargets()
	begin, since := s.cpu(t), time.Now()
	s.scrape(t, targets)
	s.work(t)
	s.scrape(t, targets)
	most, passed := s.cpu(t)-begin, time.Since(since)

	const delay = ":delay:nanoseconds:contentions:count"
	const goroutines = "goroutine:goroutine:count:goroutine:count"
	for _, c := range []struct {
		service, kind, function string
		least, most             float64
	}{
		// Two of one second each; how much of them it got is the machine's.
		{"scraped", cpuType, "burn", 0.05e9, float64(most) + 20e6},
		// One that waits all the time.
		{"scraped", "fgprof:time:nanoseconds:wallclock:nanoseconds",
			"main", 1.5e9, float64(passed)},
		{"scraped", goroutines, "burn", 2, 2},
		{"scraped", goroutines, "main", 2, 2},
		// One block is sampled with p = 0.061: four standard deviations.
		{"scraped", "memory:alloc_space:bytes:space:bytes", "churn",
			0.87 * block * churned, 1.13 * block * churned},
		{"scraped", "memory:alloc_objects:count:space:bytes", "churn",
			0.87 * churned, 1.13 * churned},
		{"scraped", "memory:alloc_space:bytes:space:bytes", "keep", 0, 0},
		{"scraped", "memory:inuse_space:bytes:space:bytes", "keep",
			0.75 * block * kept, 1.25 * block * kept},
		{"scraped", "mutex" + delay, "hold", 0.19e9, 0.6e9},
		{"scraped", "block" + delay, "want", 0.19e9, 0.6e9},
		// All since the beginning is in the first.
		{"scraped deltas", "memory:alloc_space:bytes:space:bytes", "churn",
			0.87 * block * churned, 1.13 * block * churned},
		{"scraped deltas", "memory:alloc_space:bytes:space:bytes", "keep",
			0.75 * block * kept, 1.25 * block * kept},
		{"scraped deltas", "memory:inuse_space:bytes:space:bytes", "keep",
			2 * 0.75 * block * kept, 2 * 1.25 * block * kept},
		{"scraped deltas", "mutex" + delay, "hold", 0.19e9, 0.6e9},
		{"scraped deltas", "block" + delay, "want", 0.19e9, 0.6e9},
	} {
		got := within(ask.merged(t, c.kind, selector("service_name",
			c.service)), c.function)
		if got < c.least || got > c.most {
			t.Errorf("%s of %s in %s: %.0f, not %.0f to %.0f", c.kind,
				c.service, c.function, got, c.least, c.most)
		}
	}
	for _, service := range []string{"scraped", "scraped deltas"} {
		for _, set := range ask.series(t, selector("service_name", service)) {
			if set["instance"] != s.url[len("http://"):] ||
				set["job"] != "test" {
				t.Errorf("series %v", set)
			}
		}
	}
}

var pprofRow = regexp.MustCompile(
	`(?m)^ *(-?[0-9.]+)(ms|s|MB|kB|B)? .* ([0-9A-Za-z_]+)$`)

// pprofTop returns what each function has itself, in s or MB.
func pprofTop(t *testing.T, args ...string) map[string]float64 {
	t.Helper()
	text := pprofTool(t, append([]string{"-top", "-trim=false"}, args...)...)
	rows := map[string]float64{}
	for _, row := range pprofRow.FindAllStringSubmatch(text, -1) {
		value, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			t.Fatalf("%q: %v", row[0], err)
		}
		rows[row[3]] = value
	}
	return rows
}

func TestPprofBase(t *testing.T) {
	s := startScraped(t)
	pages := s.url + "/debug/pprof/"
	before := filepath.Join(t.TempDir(), "before.pb.gz")
	pprofTool(t, "-proto", "-output="+before, pages+"allocs")
	s.work(t)
	// 16384 blocks of 16 KiB, four standard deviations.
	const churned = 256.0
	for _, how := range []string{"-base", "-diff_base"} {
		got := pprofTop(t, "-unit=MB", "-sample_index=alloc_space", how,
			before, pages+"allocs")
		if math.Abs(got["churn"]-churned) > 0.13*churned ||
			got["keep"] != 0 {
			t.Errorf("allocs, %s: %v", how, got)
		}
		got = pprofTop(t, "-unit=MB", "-sample_index=inuse_space", how,
			before, pages+"heap")
		if got["keep"] != 0 || got["churn"] != 0 {
			t.Errorf("heap, %s: %v", how, got)
		}
	}

	// Of two that are taken at once the difference is next to nothing; then
	// four seconds less one, more than which there cannot be.
	cpu := pages + "profile?seconds="
	got := pprofTop(t, "-unit=s", "-diff_base", cpu+"1", cpu+"1")
	if math.Abs(got["burn"]) > 0.3 {
		t.Errorf("profile, -diff_base: %v", got)
	}
	pprofTool(t, "-proto", "-output="+before, cpu+"1")
	got = pprofTop(t, "-unit=s", "-base", before, cpu+"4")
	if got["burn"] < -0.5 || got["burn"] == 0 || got["burn"] > 3.5 {
		t.Errorf("profile, -base: %v", got)
	}
}
