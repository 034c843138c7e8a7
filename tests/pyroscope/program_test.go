// SPDX-License-Identifier: Apache-2.0

// Running programs, with a guard against hangs.
package pyroscope

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const programTimeout = 3 * time.Minute

// program is one that has ended.
type program struct {
	stdout, stderr string
	exit           int // as a shell has it: 128 + signal
	took           time.Duration
}

// runProgram runs one with more environment than this process has.
func runProgram(t *testing.T, env []string, argv ...string) program {
	t.Helper()
	limit, cancel := context.WithTimeout(context.Background(),
		programTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(limit, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout = &stdout
	cmd.Stderr = &stderr
	// A group of its own: what hangs is killed with its children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	cmd.WaitDelay = 5 * time.Second
	start := time.Now()
	err := cmd.Run()
	done := program{stdout.String(), stderr.String(), 0, time.Since(start)}
	if limit.Err() != nil {
		t.Fatalf("%v hangs\n%s%s", argv, done.stdout, done.stderr)
	}
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		status := ended.Sys().(syscall.WaitStatus)
		done.exit = status.ExitStatus()
		if status.Signaled() {
			done.exit = 128 + int(status.Signal())
		}
	} else if err != nil {
		t.Fatalf("%v: %v", argv, err)
	}
	return done
}

// succeed also wants exit code 0 and nothing on stderr.
func succeed(t *testing.T, env []string, argv ...string) program {
	t.Helper()
	done := runProgram(t, env, argv...)
	if done.exit != 0 || done.stderr != "" {
		t.Fatalf("%v: exit code %d\n%s%s", argv, done.exit, done.stdout,
			done.stderr)
	}
	return done
}

var rusageLine = regexp.MustCompile(`(?m)^rusage_ns ([0-9]+)$`)

// rusages are the CPU times that a program has printed by work_report.
func (p program) rusages(t *testing.T, count int) []time.Duration {
	t.Helper()
	var times []time.Duration
	for _, found := range rusageLine.FindAllStringSubmatch(p.stdout, -1) {
		ns, err := strconv.ParseInt(found[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, time.Duration(ns))
	}
	if len(times) != count {
		t.Fatalf("%d times of %d in %q", len(times), count, p.stdout)
	}
	return times
}

// logLines are the lines of the library on stderr; any other is an error.
func (p program) logLines(t *testing.T) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(p.stderr) {
		if !strings.HasPrefix(line, "pyroscope: ") {
			t.Errorf("on stderr: %q", line)
		}
		lines = append(lines, line)
	}
	return lines
}
