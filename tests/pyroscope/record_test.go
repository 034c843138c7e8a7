// SPDX-License-Identifier: Apache-2.0

// Files of pyro record, read by google/pprof and by go tool pprof.
package pyroscope

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A program that nobody here wrote, busy for a few seconds.
const (
	sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n " +
		"LIMIT 12000000) SELECT sum(i * i % 7) FROM n;"
	script = "print(sum(i * i % 7 for i in range(60000000)))"
)

func TestRecord(t *testing.T) {
	plain := workload(t, "plain")
	for _, program := range []struct {
		name  string
		roots []string // of a workload: what is known of it is checked
		argv  []string
	}{
		{"one_thread", []string{"main"}, []string{plain, seconds, "1"}},
		{"four_threads", []string{"main", "work_thread"},
			[]string{plain, seconds, "4"}},
		{"processes", nil, []string{"/bin/sh", "-c",
			plain + " 2 1 & " + plain + " 2 2; wait"}},
		{"sqlite3", nil, []string{"sqlite3", ":memory:", sql}},
		{"python3", nil, []string{"python3", "-c", script}},
	} {
		t.Run(program.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "out.pb.gz")
			argv := append([]string{pyro(), "record", "-o", file,
				"--"}, program.argv...)
			done := runProgram(t, nil, argv...)
			lines := strings.Count(done.stderr, "\n")
			if done.exit != 0 || lines < 3 || lines > 8 {
				t.Fatalf("exit code %d, stderr %q", done.exit,
					done.stderr)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := checkProfile(t, data)
			if total(p, 1) < int64(time.Second) {
				t.Errorf("%v of CPU time",
					time.Duration(total(p, 1)))
			}
			checkTop(t, file)
			if program.roots == nil {
				return
			}
			cpu, count := only(p, 1), only(p, 0)
			if err := checkShares(cpu, count, knownShares); err != nil {
				t.Error(err)
			}
			rusage := done.rusages(t, 1)[0]
			if err := checkTotal(cpu, rusage); err != nil {
				t.Error(err)
			}
			err = checkComplete(cpu, 0, program.roots...)
			if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("nothing_sampled", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "out.pb.gz")
		done := runProgram(t, nil, pyro(), "record", "-o", file, "--",
			"/bin/false")
		if done.exit != 1 {
			t.Errorf("exit code %d", done.exit)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := checkProfile(t, data)
		if sum := total(p, 1); sum > int64(100*time.Millisecond) {
			t.Errorf("%v of CPU time", time.Duration(sum))
		}
	})
}

var (
	pyroRow = regexp.MustCompile(`^ *(-?[0-9.]+) (s|ms) +([0-9.]+)% ` +
		`+(-?[0-9.]+) (s|ms) +([0-9.]+)%  (.+)$`)
	pyroModule = regexp.MustCompile(` \([^()]*\)$`)
	goRow      = regexp.MustCompile(`^ *([0-9.]+)(?:ns)? +([0-9.]+)% ` +
		`+[0-9.]+% +([0-9.]+)(?:ns)? +([0-9.]+)%  (.+)$`)
	goInline = regexp.MustCompile(` \((partial-)?inline\)$`)
)

// row is a line of a table: nanoseconds, exact to within the rooms.
type row struct {
	flat, cum         float64
	flatRoom, cumRoom float64
	lines             int
}

// checkTop compares pyro top with go tool pprof -top on the same file.
func checkTop(t *testing.T, file string) {
	t.Helper()
	ours := pyroTop(t, file)
	theirs := goTop(t, file)
	if len(ours) == 0 || len(theirs) == 0 {
		t.Fatalf("%d rows of pyro top, %d of go tool pprof", len(ours),
			len(theirs))
	}
	for name, own := range ours {
		other, there := theirs[name]
		if !there && own.cum > own.cumRoom {
			t.Errorf("%s: only in pyro top", name)
		}
		if math.Abs(own.flat-other.flat) > own.flatRoom {
			t.Errorf("%s: flat %.0f ns, go tool pprof %.0f", name,
				own.flat, other.flat)
		}
		// Equal names in several modules may be on one stack.
		if own.lines == 1 &&
			math.Abs(own.cum-other.cum) > own.cumRoom {
			t.Errorf("%s: cumulative %.0f ns, go tool pprof %.0f",
				name, own.cum, other.cum)
		}
	}
	for name := range theirs {
		if _, there := ours[name]; !there {
			t.Errorf("%s: not in pyro top", name)
		}
	}
}

func pyroTop(t *testing.T, file string) map[string]row {
	t.Helper()
	out := succeed(t, nil, pyro(), "top", "-n", "0", file).stdout
	rows := map[string]row{}
	for line := range strings.Lines(out) {
		found := pyroRow.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if found == nil {
			continue
		}
		name := pyroModule.ReplaceAllString(found[7], "")
		flat, flatRoom := duration(t, found[1], found[2])
		cum, cumRoom := duration(t, found[4], found[5])
		sum := rows[name]
		rows[name] = row{sum.flat + flat, sum.cum + cum,
			sum.flatRoom + flatRoom, sum.cumRoom + cumRoom,
			sum.lines + 1}
	}
	return rows
}

// duration reads "1.23 s" or "4.5 ms", and what rounding took or gave.
func duration(t *testing.T, number, unit string) (float64, float64) {
	t.Helper()
	value := parse(t, number)
	_, decimals, _ := strings.Cut(number, ".")
	scale := map[string]float64{"s": 1e9, "ms": 1e6}[unit]
	room := 0.51 * scale * math.Pow10(-len(decimals))
	return value * scale, room
}

func parse(t *testing.T, number string) float64 {
	t.Helper()
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func goTop(t *testing.T, file string) map[string]row {
	t.Helper()
	cmd := exec.Command("go", "tool", "pprof", "-top", "-trim=false",
		"-sample_index=cpu", "-unit=ns", "-symbolize=none", file)
	// It keeps a folder for what it fetches, even if it fetches nothing.
	cmd.Env = append(os.Environ(), "PPROF_TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go tool pprof: %v\n%s", err, out)
	}
	rows := map[string]row{}
	for line := range strings.Lines(string(out)) {
		found := goRow.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if found == nil {
			continue
		}
		name := goInline.ReplaceAllString(found[5], "")
		rows[name] = row{flat: parse(t, found[1]), cum: parse(t, found[3])}
	}
	if len(rows) == 0 {
		fmt.Fprintf(os.Stderr, "%s", out)
	}
	return rows
}
