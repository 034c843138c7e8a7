// SPDX-License-Identifier: Apache-2.0

// Profiles that are fetched: by go tool pprof, and as scrapers do.
package pyroscope

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// serve runs the program programs/serve until the test ends. Returns its address.
func serve(t *testing.T) string {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := socket.Addr().String()
	socket.Close()
	binary := filepath.Join(t.TempDir(), "serve")
	out, err := exec.Command("cc", "-D_GNU_SOURCE", "-O2", "-pthread",
		"-o", binary, "../programs/serve.c",
		"-I"+filepath.Join(rootDir, "include"), "-L"+buildDir,
		"-Wl,-rpath,"+buildDir, "-lpyroscope").CombinedOutput()
	if err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	program := exec.Command(binary, address, filepath.Join(t.TempDir(), "own"))
	program.Env = append(os.Environ(), "PYROSCOPE_FORMAT=none",
		"PYROSCOPE_PROFILE_TYPES=cpu,heap,mutex,block,threads")
	input, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		input.Close()
		program.Wait()
	})
	for range 200 {
		if answer, err := http.Get("http://" + address + "/metrics"); err == nil {
			answer.Body.Close()
			return address
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("it does not listen")
	return ""
}

func pprofTool(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.Command("go", append([]string{"tool", "pprof"}, args...)...)
	command.Env = append(os.Environ(), "PPROF_TMPDIR="+t.TempDir())
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("go tool pprof %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestListener(t *testing.T) {
	address := serve(t)
	base := "http://" + address + "/debug/pprof/"

	t.Run("pprof", func(t *testing.T) {
		got := pprofTool(t, "-top", base+"profile?seconds=2")
		if !strings.Contains(got, " burn\n") {
			t.Errorf("no burn in\n%s", got)
		}
	})
	paths := map[string][]string{
		"profile?seconds=1": {"samples", "cpu"},
		"allocs": {"alloc_objects", "alloc_space", "inuse_objects",
			"inuse_space"},
		"goroutine": {"goroutine"},
		"mutex":     {"contentions", "delay"},
		"block":     {"contentions", "delay"},
		"delta_heap": {"alloc_objects", "alloc_space", "inuse_objects",
			"inuse_space"},
		"delta_mutex": {"contentions", "delay"},
		"delta_block": {"contentions", "delay"},
	}
	for path, types := range paths {
		t.Run(path, func(t *testing.T) {
			answer, err := http.Get(base + path)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != 200 {
				t.Fatalf("%d, %v: %s", answer.StatusCode, err, body)
			}
			got, err := profile.ParseData(body)
			if err != nil {
				t.Fatal(err)
			}
			if err := got.CheckValid(); err != nil {
				t.Error(err)
			}
			names := []string{}
			for _, kind := range got.SampleType {
				names = append(names, kind.Type)
			}
			if fmt.Sprint(names) != fmt.Sprint(types) {
				t.Errorf("types are %v, not %v", names, types)
			}
		})
	}
}
