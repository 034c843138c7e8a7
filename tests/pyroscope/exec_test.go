// SPDX-License-Identifier: Apache-2.0

// Programs that know nothing of profiling, under pyro exec.
package pyroscope

import (
	"path/filepath"
	"strings"
	"testing"
)

func pyro() string {
	return filepath.Join(buildDir, "pyro")
}

func TestExec(t *testing.T) {
	plain := workload(t, "plain")
	host := []string{"HOSTNAME=host-1"}

	t.Run("plain", func(t *testing.T) {
		const name = "exec-plain"
		which := selector("service_name", name)
		ask, w := newQuery(pyroscope.url), newWire(t, pyroscope.url)
		done := succeed(t, host, pyro(), "exec", "--server", w.url,
			"--name", name, "--", plain, seconds, "1")
		w.check(t)
		checkLabels(t, ask, which, name)
		checkKnown(t, ask, which, done.rusages(t, 1)[0], "main")
	})
	t.Run("four_threads", func(t *testing.T) {
		const name = "exec-four"
		which := selector("service_name", name)
		ask, w := newQuery(pyroscope.url), newWire(t, pyroscope.url)
		done := succeed(t, host, pyro(), "exec", "--server", w.url,
			"--name", name, "--", plain, seconds, "4")
		w.check(t)
		checkKnown(t, ask, which, done.rusages(t, 1)[0], "main",
			"work_thread")
	})
	t.Run("named_by_file", func(t *testing.T) {
		ask, w := newQuery(pyroscope.url), newWire(t, pyroscope.url)
		succeed(t, host, pyro(), "exec", "--server", w.url, "--", plain,
			"1", "1")
		w.check(t)
		checkLabels(t, ask, selector("service_name", "plain"), "plain")
	})
	t.Run("children_of_a_shell", func(t *testing.T) {
		const name = "exec-shell"
		ask, w := newQuery(pyroscope.url), newWire(t, pyroscope.url)
		done := succeed(t, host, pyro(), "exec", "--server", w.url,
			"--name", name, "--", "/bin/sh", "-c",
			plain+" 3 1; "+plain+" 3 2; exit 0")
		w.check(t)
		pids := ask.labelValues(t, "pid", selector("service_name", name))
		if len(pids) != 2 {
			t.Errorf("pids are %v", pids)
		}
		times := done.rusages(t, 2)
		cpu := ask.merged(t, cpuType, selector("service_name", name))
		if err := checkTotal(cpu, times[0]+times[1]); err != nil {
			t.Error(err)
		}
	})
	t.Run("bad_address", func(t *testing.T) {
		done := runProgram(t, nil, pyro(), "exec", "--server",
			"localhost:4040", "--", plain, "0.1", "1", "7")
		done.rusages(t, 1)
		if done.exit != 7 || strings.Count(done.stderr, "\n") != 1 {
			t.Errorf("exit code %d, stderr %q", done.exit,
				done.stderr)
		}
	})
	t.Run("dead_server", func(t *testing.T) {
		ports, err := freePorts(1)
		if err != nil {
			t.Fatal(err)
		}
		done := runProgram(t, nil, pyro(), "exec", "--server",
			"http://"+local(ports[0]), "--", plain, "0.5", "1", "7")
		done.rusages(t, 1)
		if done.exit != 7 || done.stderr != "" {
			t.Errorf("exit code %d, stderr %q", done.exit,
				done.stderr)
		}
	})
}
