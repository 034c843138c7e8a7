// SPDX-License-Identifier: Apache-2.0

// Programs that call pyroscope_load.
package pyroscope

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// seconds of CPU time: at 100 Hz three standard errors of a half are then 3.4 %
// and of a tenth 2.0 %.
const seconds = "20"

// named gives a program its name and its host's.
func named(name string) []string {
	return []string{"PYROSCOPE_APPLICATION_NAME=" + name, "HOSTNAME=host-1"}
}

// checkKnown compares what the server has with what is known of work.c.
func checkKnown(t *testing.T, ask *query, which string, rusage time.Duration,
	roots ...string) {
	t.Helper()
	cpu := ask.merged(t, cpuType, which)
	count := ask.merged(t, samplesType, which)
	if err := checkShares(cpu, count, knownShares); err != nil {
		t.Error(err)
	}
	if err := checkTotal(cpu, rusage); err != nil {
		t.Error(err)
	}
	if err := checkComplete(cpu, 0, roots...); err != nil {
		t.Error(err)
	}
	t.Logf("%v by profile, %v by getrusage, %d samples",
		time.Duration(total(cpu, 0)), rusage, total(count, 0))
}

// checkLabels wants one series, with these labels and no other.
func checkLabels(t *testing.T, ask *query, which, name string) {
	t.Helper()
	sets := ask.series(t, which)
	if len(sets) != 1 || sets[0]["service_name"] != name ||
		sets[0]["hostname"] != "host-1" || sets[0]["pid"] != "" {
		t.Errorf("series are %v", sets)
	}
}

func TestLibrary(t *testing.T) {
	shares := workload(t, "shares")

	t.Run("one_thread", func(t *testing.T) {
		const name = "one-thread"
		which := selector("service_name", name)
		ask, w := newQuery(pyroscope.url), newWire(t, pyroscope.url)
		done := succeed(t, named(name), shares, w.url, seconds, "1")
		w.check(t)
		checkLabels(t, ask, which, name)
		checkKnown(t, ask, which, done.rusages(t, 1)[0], "main")

		if !slices.Contains(ask.profileTypes(t), cpuType) {
			t.Errorf("types are %v", ask.profileTypes(t))
		}
		hosts := ask.labelValues(t, "hostname", which)
		if len(hosts) != 1 || hosts[0] != "host-1" {
			t.Errorf("hosts are %v", hosts)
		}
		want := total(ask.merged(t, cpuType, which), 0)
		names, sum := ask.flamegraph(t, which)
		if sum != want || !slices.Contains(names, "work_10") {
			t.Errorf("flame graph of %d, not %d, with %v", sum, want,
				names)
		}
		names, sum = ask.render(t, which)
		if sum != want || !slices.Contains(names, "work_10") {
			t.Errorf("render gives %d, not %d, with %v", sum, want,
				names)
		}
	})
	t.Run("four_threads", func(t *testing.T) {
		const name = "four-threads"
		which := selector("service_name", name)
		ask, w := newQuery(pyroscope.url), newWire(t, pyroscope.url)
		done := succeed(t, named(name), shares, w.url, "40", "4")
		w.check(t)
		checkLabels(t, ask, which, name)
		checkKnown(t, ask, which, done.rusages(t, 1)[0], "main",
			"work_thread")
	})
	t.Run("recursion", func(t *testing.T) {
		// By the one_thread program: each call is a frame.
		stacks := newQuery(pyroscope.url)
		stacks.from = stacks.from.Add(-10 * time.Minute)
		cpu := stacks.merged(t, cpuType,
			selector("service_name", "one-thread"))
		depths := map[int]bool{}
		for _, sample := range cpu.Sample {
			calls := 0
			for _, name := range frames(sample) {
				if name == "work_50" {
					calls++
				}
			}
			if calls > 0 {
				depths[calls] = true
			}
		}
		for depth := range depths {
			if depth < 11 || depth > 61 {
				t.Errorf("work_50 stands %d times on a stack",
					depth)
			}
		}
		if len(depths) < 50 {
			t.Errorf("%d of 51 depths were seen", len(depths))
		}
	})
	t.Run("flush", func(t *testing.T) {
		const name = "flush"
		ask, w := newQuery(pyroscope.url), newWire(t, pyroscope.url)
		done := succeed(t, named(name), shares, w.url, "1", "1",
			"flush")
		w.check(t)
		if !strings.Contains(done.stdout, "flush 0\n") {
			t.Errorf("%q", done.stdout)
		}
		cpu := ask.merged(t, cpuType, selector("service_name", name))
		if err := checkComplete(cpu, 0, "main"); err != nil {
			t.Error(err)
		}
	})
	t.Run("windows", func(t *testing.T) {
		const name = "windows"
		which := selector("service_name", name)
		ask, w := newQuery(pyroscope.url), newWire(t, pyroscope.url)
		env := append(named(name), "PYROSCOPE_UPLOAD_INTERVAL=2s")
		done := succeed(t, env, shares, w.url, "9", "1")
		w.check(t)
		// The last one is shorter.
		points, want := ask.points(t, which), int(done.took.Seconds()/2)
		if want < 4 || len(points) < want || len(points) > want+1 {
			t.Errorf("%d windows of 2 s in %v: %v", len(points),
				done.took, points)
		}
		cpu := ask.merged(t, cpuType, which)
		if err := checkTotal(cpu, done.rusages(t, 1)[0]); err != nil {
			t.Error(err)
		}
		sum := 0.0
		for _, value := range points {
			sum += value
		}
		if int64(sum) != total(cpu, 0) {
			t.Errorf("windows of %.0f ns, %d in all", sum,
				total(cpu, 0))
		}
	})
	t.Run("retry_is_identical", func(t *testing.T) {
		const name = "retry"
		ask := newQuery(pyroscope.url)
		w := newWire(t, pyroscope.url, http.StatusServiceUnavailable)
		env := append(named(name), "PYROSCOPE_UPLOAD_INTERVAL=2s")
		done := runProgram(t, env, shares, w.url, "9", "1")
		if lines := done.logLines(t); done.exit != 0 ||
			len(lines) > 2 {
			t.Errorf("exit code %d, lines %q", done.exit, lines)
		}
		cpu := ask.merged(t, cpuType, selector("service_name", name))
		if err := checkTotal(cpu, done.rusages(t, 1)[0]); err != nil {
			t.Error(err)
		}
		pushes := w.recorded()
		if len(pushes) < 2 || pushes[0].status != 503 {
			t.Fatalf("%d pushes", len(pushes))
		}
		again := slices.ContainsFunc(pushes[1:], func(p push) bool {
			return p.status == 200 &&
				bytes.Equal(p.body, pushes[0].body)
		})
		if !again {
			t.Errorf("what was refused did not come again")
		}
	})
	t.Run("bad_address", func(t *testing.T) {
		for _, address := range []string{"null", "ftp://server:4040",
			"localhost:4040", "http://127.0.0.1:99999"} {
			done := runProgram(t, named("bad"), shares, address,
				"0.1", "1")
			done.rusages(t, 1)
			if lines := done.logLines(t); done.exit != 0 ||
				len(lines) != 1 {
				t.Errorf("%s: exit code %d, lines %q", address,
					done.exit, lines)
			}
		}
	})
	t.Run("dead_server", func(t *testing.T) {
		ports, err := freePorts(1)
		if err != nil {
			t.Fatal(err)
		}
		done := runProgram(t, named("dead"), shares,
			"http://"+local(ports[0]), "0.5", "1")
		done.rusages(t, 1)
		if lines := done.logLines(t); done.exit != 0 ||
			len(lines) > 2 {
			t.Errorf("exit code %d, lines %q", done.exit, lines)
		}
		if done.took > 5*time.Second {
			t.Errorf("0.5 s of work took %v", done.took)
		}
	})
	t.Run("gethostname", func(t *testing.T) {
		const name = "gethostname"
		ask := newQuery(pyroscope.url)
		env := []string{"PYROSCOPE_APPLICATION_NAME=" + name,
			"HOSTNAME="}
		succeed(t, env, shares, pyroscope.url, "1", "1")
		want, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		hosts := ask.labelValues(t, "hostname",
			selector("service_name", name))
		if len(hosts) != 1 || hosts[0] != want {
			t.Errorf("hosts are %q, not %q", hosts, want)
		}
	})
}

var childLine = regexp.MustCompile(`(?m)^child ([0-9]+)$`)

func TestFork(t *testing.T) {
	forks := workload(t, "forks")
	for _, how := range []string{"call", "thread"} {
		t.Run(how, func(t *testing.T) {
			name := "fork-" + how
			ask := newQuery(pyroscope.url)
			w := newWire(t, pyroscope.url)
			done := succeed(t, named(name), forks, w.url, how, "5")
			w.check(t)
			found := childLine.FindStringSubmatch(done.stdout)
			if found == nil {
				t.Fatalf("%q", done.stdout)
			}
			pids := ask.labelValues(t, "pid",
				selector("service_name", name))
			if fmt.Sprint(pids) != "["+found[1]+"]" {
				t.Errorf("pids are %v, not %s", pids, found[1])
			}
			times := done.rusages(t, 2)
			checkFamily(t, ask, selector("service_name", name,
				"pid", found[1]), "in_child", "in_parent",
				times[0])
			checkFamily(t, ask, selector("service_name", name,
				"pid", ""), "in_parent", "in_child", times[1])
		})
	}
}

// checkFamily wants one of two functions in a process's profile, and its CPU
// time. A child's first moments are not seen.
func checkFamily(t *testing.T, ask *query, which, there, absent string,
	rusage time.Duration) {
	t.Helper()
	cpu := ask.merged(t, cpuType, which)
	rows := table(cpu, 0)
	if rows[absent].cum != 0 {
		t.Errorf("%s: %v in %s", which,
			time.Duration(rows[absent].cum), absent)
	}
	seen := time.Duration(rows[there].cum)
	if float64(seen) < 0.9*float64(rusage) ||
		float64(seen) > 1.03*float64(rusage) {
		t.Errorf("%s: %v in %s, %v by getrusage", which, seen, there,
			rusage)
	}
}
