// SPDX-License-Identifier: Apache-2.0

// What google/pprof and the server's rules say of a profile.
package pyroscope

import (
	"bytes"
	"fmt"
	"math"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/pprof/profile"
	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
)

const (
	// One above is refused by the server's rate limiter for ever.
	maxBytes = 2 << 20
	// One at this number is refused.
	maxSamples = 16000
)

// checkProfile reads a profile, gzipped or not, and reports all that is wrong
// in it, apart from its numbers.
func checkProfile(t *testing.T, data []byte) *profile.Profile {
	t.Helper()
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		data = gunzip(t, data)
	}
	if len(data) >= maxBytes {
		t.Errorf("%d bytes", len(data))
	}
	// Parse checks references, ids and the numbers of values too.
	parsed, err := profile.ParseData(data)
	if err != nil {
		t.Fatalf("google/pprof: %v", err)
	}
	if err := parsed.CheckValid(); err != nil {
		t.Errorf("google/pprof: %v", err)
	}
	raw := &googlev1.Profile{}
	if err := raw.UnmarshalVT(data); err != nil {
		t.Fatalf("profile.proto: %v", err)
	}
	checkStrings(t, raw)
	checkTypes(t, parsed)
	checkSamples(t, parsed)
	checkMappings(t, parsed)
	checkNames(t, parsed)
	return parsed
}

func checkStrings(t *testing.T, raw *googlev1.Profile) {
	t.Helper()
	if len(raw.StringTable) == 0 || raw.StringTable[0] != "" {
		t.Errorf("string 0 is not empty")
	}
	seen := map[string]bool{}
	for _, text := range raw.StringTable {
		if !utf8.ValidString(text) {
			t.Errorf("not UTF-8: %q", text)
		}
		if seen[text] {
			t.Errorf("%q is twice in the string table", text)
		}
		seen[text] = true
	}
	if raw.PeriodType == nil {
		t.Errorf("no period_type")
	}
}

func checkTypes(t *testing.T, p *profile.Profile) {
	t.Helper()
	text := ""
	for _, kind := range append(p.SampleType, p.PeriodType) {
		text += kind.Type + "/" + kind.Unit + " "
	}
	if text != "samples/count cpu/nanoseconds cpu/nanoseconds " {
		t.Errorf("types are %s", text)
	}
	if p.Period != int64(10*time.Millisecond) {
		t.Errorf("the period is %d", p.Period)
	}
	age := time.Since(time.Unix(0, p.TimeNanos))
	if age < 0 || age > time.Hour {
		t.Errorf("the time is %v ago", age)
	}
	if p.DurationNanos <= 0 || p.DurationNanos > int64(time.Hour) {
		t.Errorf("the duration is %v", time.Duration(p.DurationNanos))
	}
}

// checkSamples wants a period for each count, of which the part that came too
// late for its stack stands on top of it: so it is on a busy machine.
func checkSamples(t *testing.T, p *profile.Profile) {
	t.Helper()
	if len(p.Sample) >= maxSamples {
		t.Errorf("%d samples", len(p.Sample))
	}
	counts, times := map[string]int64{}, map[string]int64{}
	for _, sample := range p.Sample {
		count, cpu := sample.Value[0], sample.Value[1]
		if count < 0 || cpu < 0 || (count == 0 && cpu == 0) {
			t.Errorf("values %v", sample.Value)
		}
		if len(sample.Location) == 0 {
			t.Errorf("a sample without a stack")
			continue
		}
		names := frames(sample)
		if names[0] == delayed && len(names) > 1 {
			names = names[1:]
		}
		if !pseudo(names[0]) {
			stack := strings.Join(names, "\n")
			counts[stack] += count
			times[stack] += cpu
		}
	}
	for stack, count := range counts {
		if times[stack] != count*p.Period {
			t.Errorf("%d samples are %d ns of:\n%s", count,
				times[stack], stack)
		}
	}
}

// checkMappings compares with the files that are mapped.
func checkMappings(t *testing.T, p *profile.Profile) {
	t.Helper()
	for _, mapping := range p.Mapping {
		if mapping.File == "" {
			t.Errorf("mapping %d has no name", mapping.ID)
		}
		if !mapping.HasFunctions {
			t.Errorf("%s: has_functions is not set", mapping.File)
		}
		if !strings.HasPrefix(mapping.File, "/") {
			continue // the vdso, which is no file
		}
		if want := buildID(t, mapping.File); mapping.BuildID != want {
			t.Errorf("%s: build ID is %q, readelf has %q",
				mapping.File, mapping.BuildID, want)
		}
	}
	for _, location := range p.Location {
		mapping := location.Mapping
		if mapping != nil && (location.Address < mapping.Start ||
			location.Address >= mapping.Limit) {
			t.Errorf("%#x is outside %s, %#x-%#x",
				location.Address, mapping.File, mapping.Start,
				mapping.Limit)
		}
	}
}

var buildIDLine = regexp.MustCompile(`(?m)^\s*Build ID: ([0-9a-f]+)$`)

// buildID is what readelf prints, "" if the file has none.
func buildID(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("readelf", "-n", path).Output()
	if err != nil {
		t.Errorf("readelf -n %s: %v", path, err)
	}
	found := buildIDLine.FindSubmatch(out)
	if found == nil {
		return ""
	}
	return string(found[1])
}

var (
	// C and C++ names, demangled or not, module+0xoffset and [pseudo].
	soundName  = regexp.MustCompile(`^[ -~]+$`)
	pseudoName = regexp.MustCompile(`^\[[a-z :]+\]$`)
)

// checkNames wants a function for every frame, and names that can be read.
func checkNames(t *testing.T, p *profile.Profile) {
	t.Helper()
	for _, location := range p.Location {
		if len(location.Line) == 0 {
			t.Errorf("%#x has no function", location.Address)
		}
		for _, line := range location.Line {
			if line.Function == nil {
				t.Errorf("%#x has no function", location.Address)
				continue
			}
			name := line.Function.Name
			if !soundName.MatchString(name) ||
				strings.TrimSpace(name) != name {
				t.Errorf("a function is called %q", name)
			}
			if pseudo(name) != (location.Mapping == nil) {
				t.Errorf("%q: mapping %v", name, location.Mapping)
			}
		}
	}
}

// delayed is on top of a stack that a signal came late to.
const delayed = "[signal delayed]"

// pseudo names stand for no code: [unsampled], [lost], [truncated], [trimmed].
func pseudo(name string) bool {
	return pseudoName.MatchString(name)
}

func leaf(sample *profile.Sample) string {
	return frames(sample)[0]
}

// frames of a sample, leaf first, inlined ones included.
func frames(sample *profile.Sample) []string {
	var names []string
	for _, location := range sample.Location {
		for _, line := range location.Line {
			if line.Function != nil {
				names = append(names, line.Function.Name)
			}
		}
	}
	if names == nil {
		names = []string{""}
	}
	return names
}

// flatCum are a function's own value and the value of all stacks with it.
type flatCum struct{ flat, cum int64 }

// table sums a profile's values of one type by function.
func table(p *profile.Profile, value int) map[string]flatCum {
	rows := map[string]flatCum{}
	for _, sample := range p.Sample {
		seen := map[string]bool{}
		for i, name := range frames(sample) {
			row := rows[name]
			if i == 0 {
				row.flat += sample.Value[value]
			}
			if !seen[name] {
				row.cum += sample.Value[value]
			}
			seen[name] = true
			rows[name] = row
		}
	}
	return rows
}

func total(p *profile.Profile, value int) int64 {
	sum := int64(0)
	for _, sample := range p.Sample {
		sum += sample.Value[value]
	}
	return sum
}

// shares of the known functions, as workload/work.c has them.
var knownShares = map[string]float64{
	"work_50": 0.50, "work_25": 0.25, "work_15": 0.15, "work_10": 0.10,
}

// checkShares compares with known shares of the CPU time, within three
// standard errors for that many samples. Time that no sample explains is left
// out: it has no function.
func checkShares(cpu, count *profile.Profile,
	known map[string]float64) error {
	rows := table(cpu, 0)
	base, n := total(cpu, 0), total(count, 0)
	for name, row := range rows {
		if pseudo(name) {
			base -= row.flat
		}
	}
	if base <= 0 || n <= 0 {
		return fmt.Errorf("no samples")
	}
	below := base + rows[delayed].flat
	for name, want := range known {
		flat := float64(rows[name].flat) / float64(base)
		cum := float64(rows[name].cum) / float64(below)
		room := 3 * math.Sqrt(want*(1-want)/float64(n))
		if math.Abs(flat-want) > room || math.Abs(cum-want) > room {
			return fmt.Errorf("%s: flat %.2f %%, cumulative %.2f %%, "+
				"should be %.0f %% +- %.2f of %d samples",
				name, 100*flat, 100*cum, 100*want, 100*room, n)
		}
	}
	return nil
}

// checkTotal wants the profile's CPU time to be the program's own within 1 % and
// what happens before the first timer is set, and little of it without a stack: 2 %
// and the time in which processes start, on a busy machine, too.
func checkTotal(cpu *profile.Profile, rusage time.Duration) error {
	sum := time.Duration(total(cpu, len(cpu.SampleType)-1))
	if off := (sum - rusage).Abs(); off > rusage/100+50*time.Millisecond {
		return fmt.Errorf("profiled %v, getrusage %v", sum, rusage)
	}
	lost := int64(0)
	for name, row := range table(cpu, len(cpu.SampleType)-1) {
		if name == delayed && row.flat > int64(sum)/4 {
			return fmt.Errorf("%v of %v is %s",
				time.Duration(row.flat), sum, name)
		}
		if pseudo(name) && name != delayed {
			lost += row.flat
		}
	}
	if lost > int64(sum)/50+int64(100*time.Millisecond) {
		return fmt.Errorf("%v of %v is in pseudo frames",
			time.Duration(lost), sum)
	}
	return nil
}

// checkComplete wants nearly all stacks to reach one of the roots.
func checkComplete(p *profile.Profile, value int, roots ...string) error {
	whole, broken, example := int64(0), int64(0), ""
	for _, sample := range p.Sample {
		names := frames(sample)
		if pseudo(names[0]) {
			continue
		}
		whole += sample.Value[value]
		text := "\n" + strings.Join(names, "\n") + "\n"
		reached := false
		for _, root := range roots {
			reached = reached ||
				strings.Contains(text, "\n"+root+"\n")
		}
		if !reached {
			broken += sample.Value[value]
			example = strings.Join(names, " < ")
		}
	}
	if whole == 0 || float64(broken) > 0.001*float64(whole) {
		return fmt.Errorf("%d of %d do not reach %v, like %s", broken,
			whole, roots, example)
	}
	return nil
}

// only is a profile of one of its kinds of value, as the server gives them.
func only(p *profile.Profile, value int) *profile.Profile {
	one := &profile.Profile{SampleType: p.SampleType[value : value+1]}
	for _, sample := range p.Sample {
		one.Sample = append(one.Sample, &profile.Sample{
			Location: sample.Location, Label: sample.Label,
			Value: sample.Value[value : value+1],
		})
	}
	return one
}
