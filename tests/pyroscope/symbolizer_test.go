// SPDX-License-Identifier: Apache-2.0

// Names by the server: it gets addresses and build IDs, and asks a debuginfod.
package pyroscope

import (
	"debug/elf"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// debuginfod serves the files that it was told of, by their build IDs.
type debuginfod struct {
	url   string
	mutex sync.Mutex
	files map[string]string
	asked []string // build IDs, in order
}

func startDebuginfod() (*debuginfod, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &debuginfod{
		url:   "http://" + listener.Addr().String(),
		files: map[string]string{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /buildid/{id}/debuginfo", d.serve)
	go http.Serve(listener, mux)
	return d, nil
}

func (d *debuginfod) serve(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	d.mutex.Lock()
	d.asked = append(d.asked, id)
	file, found := d.files[id]
	d.mutex.Unlock()
	if !found {
		http.NotFound(w, r)
		return
	}
	http.ServeFile(w, r, file)
}

func (d *debuginfod) add(t *testing.T, path string) string {
	t.Helper()
	id := buildID(t, path)
	if id == "" {
		t.Fatalf("%s has no build ID", path)
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.files[id] = path
	return id
}

func (d *debuginfod) requests() []string {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return slices.Clone(d.asked)
}

// libraries are the files that a program is linked with.
func libraries(t *testing.T, program string) []string {
	t.Helper()
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		t.Fatalf("ldd %s: %v", program, err)
	}
	var paths []string
	for word := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(word, "/") {
			paths = append(paths, word)
		}
	}
	return paths
}

// inPLT: has an address no symbol, as it is in a stub of the linker's?
func inPLT(t *testing.T, path string, address uint64) bool {
	t.Helper()
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, s := range file.Sections {
		if strings.HasPrefix(s.Name, ".plt") && address >= s.Addr &&
			address-s.Addr < s.Size {
			return true
		}
	}
	return false
}

// checkNamed: what the server has no name for is file!0xaddress.
func checkNamed(t *testing.T, names []string, path string) {
	t.Helper()
	for _, name := range names {
		text, unnamed := strings.CutPrefix(name,
			filepath.Base(path)+"!0x")
		address, err := strconv.ParseUint(text, 16, 64)
		if unnamed && (err != nil || !inPLT(t, path, address)) {
			t.Errorf("%s in the flame graph", name)
		}
	}
}

func TestSymbolizer(t *testing.T) {
	shares := workload(t, "shares")
	// What the tests before had sent has names: nothing was asked for.
	if asked := symbols.requests(); len(asked) != 0 {
		t.Errorf("the server asked for %v", asked)
	}
	id := symbols.add(t, shares)
	for _, path := range libraries(t, shares) {
		symbols.add(t, path)
	}

	t.Run("by_build_id", func(t *testing.T) {
		const name = "by-build-id"
		which := selector("service_name", name)
		ask := newQuery(pyroscope.url)
		env := append(named(name), "PYROSCOPE_SYMBOLS=server")
		done := succeed(t, env, shares, pyroscope.url, seconds, "1")
		checkKnown(t, ask, which, done.rusages(t, 1)[0], "main")
		if !slices.Contains(symbols.requests(), id) {
			t.Errorf("the server did not ask for %s", id)
		}
		names, sum := ask.flamegraph(t, which)
		want := total(ask.merged(t, cpuType, which), 0)
		if sum != want {
			t.Errorf("a flame graph of %d, not %d", sum, want)
		}
		for _, known := range []string{"main", "work_run", "work_thread",
			"work_50", "work_25", "work_15", "work_10"} {
			if !slices.Contains(names, known) {
				t.Errorf("%s is not among %v", known, names)
			}
		}
		checkNamed(t, names, shares)
	})
	// A file without a build ID is named by the library, in the same profile
	// as one whose names come from the server.
	t.Run("without_build_id", func(t *testing.T) {
		const name = "without-build-id"
		which := selector("service_name", name)
		ask := newQuery(pyroscope.url)
		plain := shares + "-plain"
		out, err := exec.Command("objcopy", "--remove-section",
			".note.gnu.build-id", shares, plain).CombinedOutput()
		if err != nil {
			t.Fatalf("objcopy: %v\n%s", err, out)
		}
		if id := buildID(t, plain); id != "" {
			t.Fatalf("%s has the build ID %s", plain, id)
		}
		env := append(named(name), "PYROSCOPE_SYMBOLS=server")
		succeed(t, env, plain, pyroscope.url, "2", "1")
		names, _ := ask.flamegraph(t, which)
		for _, known := range []string{"main", "work_50"} {
			if !slices.Contains(names, known) {
				t.Errorf("%s is not among %v", known, names)
			}
		}
		checkNamed(t, names, plain)
		started := func(name string) bool {
			return strings.HasPrefix(name, "__libc_start_main")
		}
		if !slices.ContainsFunc(names, started) {
			t.Errorf("libc has no names: %v", names)
		}
	})
}
