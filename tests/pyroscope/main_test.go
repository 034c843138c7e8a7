// SPDX-License-Identifier: Apache-2.0

// Tests against Grafana Pyroscope and google/pprof: real programs are profiled,
// and what arrived is asked back. run.sh starts them.
package pyroscope

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var (
	// Of the repository and of what its build leaves.
	rootDir, buildDir string
	// Of the programs in workload.
	workloadDir string
	pyroscope   *server
	// Where it gets the names of what has none.
	symbols *debuginfod
)

func TestMain(m *testing.M) {
	// The server dies with this thread: see startServer.
	runtime.LockOSThread()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	here, err := os.Getwd()
	if err != nil {
		return failed(err)
	}
	rootDir = filepath.Dir(filepath.Dir(here))
	buildDir = os.Getenv("BUILD_DIR")
	if buildDir == "" {
		buildDir = filepath.Join(rootDir, "build")
	}
	for _, name := range os.Environ() {
		// Nothing from outside may decide what is profiled and where to.
		name, _, _ = strings.Cut(name, "=")
		if strings.HasPrefix(name, "PYROSCOPE_") ||
			name == "OTEL_SERVICE_NAME" || name == "APP_NAME" {
			os.Unsetenv(name)
		}
	}
	// The heap's tests say so.
	os.Setenv("PYROSCOPE_PROFILE_TYPES", "cpu")
	workloadDir, err = os.MkdirTemp("", "pyroscope-workload-")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(workloadDir)
	// So that programs run by another user find them.
	os.Chmod(workloadDir, 0o755)

	log := filepath.Join(buildDir, "pyroscope-server.log")
	symbols, err = startDebuginfod()
	if err != nil {
		return failed(err)
	}
	pyroscope, err = startServer(
		filepath.Join(buildDir, "pyroscope-server"), symbols.url, log)
	if err != nil {
		return failed(err)
	}
	code := m.Run()
	pyroscope.stop()
	if code == 0 {
		os.Remove(log)
	} else {
		fmt.Fprintf(os.Stderr, "The server's log is %s\n", log)
	}
	return code
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// workload builds a program of the folder workload, once.
func workload(t *testing.T, name string) string {
	t.Helper()
	binary := filepath.Join(workloadDir, name)
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	args := []string{"-std=c11", "-D_GNU_SOURCE", "-O2",
		"-fomit-frame-pointer", "-Wall", "-Wextra", "-Werror",
		"-pthread", "-Wl,--build-id", "-o", binary,
		"workload/" + name + ".c", "workload/work.c"}
	if name != "plain" {
		args = append(args, "-I"+filepath.Join(rootDir, "include"),
			"-L"+buildDir, "-Wl,-rpath,"+buildDir, "-lpyroscope")
	}
	out, err := exec.Command("cc", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("cc %s: %v\n%s", name, err, out)
	}
	return binary
}
