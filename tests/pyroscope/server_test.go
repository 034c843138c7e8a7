// SPDX-License-Identifier: Apache-2.0

// Grafana Pyroscope itself on free loopback ports, for the time of the tests.
package pyroscope

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const readyTimeout = 60 * time.Second

type server struct {
	url     string
	cmd     *exec.Cmd
	exited  chan struct{}
	dataDir string
}

// startServer returns when profiles can be pushed and queried. The server
// finds names at debuginfodURL, unless that is "", has more flags, and writes its
// log to logPath.
// Must be called from a goroutine that is locked to its thread for the server's
// life: the server dies with that thread.
func startServer(binary, debuginfodURL, logPath string,
	more ...string) (*server, error) {
	var err error

	// Another process may take a port between its choice and its use.
	for try := 0; try < 3; try++ {
		var s *server
		if s, err = tryServer(binary, debuginfodURL, logPath,
			more); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func tryServer(binary, debuginfodURL, logPath string,
	more []string) (*server, error) {
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	dataDir, err := os.MkdirTemp("", "pyroscope-server-")
	if err != nil {
		return nil, err
	}
	log, err := os.Create(logPath)
	if err != nil {
		return nil, err
	}
	defer log.Close()

	flags := append(serverFlags(dataDir, ports), more...)
	if debuginfodURL != "" {
		flags = append(flags, "-symbolizer.enabled=true",
			"-symbolizer.debuginfod-url="+debuginfodURL)
	}
	s := &server{
		url:     "http://" + local(ports[0]),
		cmd:     exec.Command(binary, flags...),
		exited:  make(chan struct{}),
		dataDir: dataDir,
	}
	s.cmd.Dir = dataDir
	s.cmd.Stdout = log
	s.cmd.Stderr = log
	// Chooses the flags of the storage that Pyroscope 2 has by default.
	s.cmd.Env = append(os.Environ(), "PYROSCOPE_V2=1")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		os.RemoveAll(dataDir)
		return nil, err
	}
	go func() {
		s.cmd.Wait()
		close(s.exited)
	}()
	if err := s.waitReady(); err != nil {
		s.stop()
		return nil, fmt.Errorf("%w, see %s", err, logPath)
	}
	return s, nil
}

func local(port int) string {
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// serverFlags ask for one process with all parts, a file system instead of an
// object store, loopback only, ready at once, and nothing sent elsewhere.
func serverFlags(dir string, ports []int) []string {
	grpc, raft := local(ports[1]), local(ports[2])
	return []string{
		"-target=all",
		"-all.enable-v1-read-path=false",
		"-all.enable-v1-write-path=false",
		"-write-path=segment-writer",
		"-enable-query-backend=true",
		"-storage.backend=filesystem",
		"-storage.filesystem.dir=" + filepath.Join(dir, "blocks"),
		"-compaction-worker.temp-dir=" + filepath.Join(dir, "compaction"),
		"-server.http-listen-address=127.0.0.1",
		fmt.Sprintf("-server.http-listen-port=%d", ports[0]),
		"-server.grpc-listen-address=127.0.0.1",
		fmt.Sprintf("-server.grpc-listen-port=%d", ports[1]),
		"-query-backend.address=" + grpc,
		"-metastore.address=" + grpc,
		"-metastore.data-dir=" + filepath.Join(dir, "metastore"),
		"-metastore.raft.dir=" + filepath.Join(dir, "raft"),
		"-metastore.raft.snapshots-dir=" + filepath.Join(dir, "snapshots"),
		"-metastore.raft.server-id=" + raft,
		"-metastore.raft.bind-address=" + raft,
		"-metastore.raft.advertise-address=" + raft,
		"-metastore.min-ready-duration=0s",
		"-segment-writer.min-ready-duration=0s",
		"-segment-writer.lifecycler.addr=127.0.0.1",
		"-distributor.ring.instance-addr=127.0.0.1",
		"-query-frontend.instance-addr=127.0.0.1",
		"-memberlist.bind-addr=127.0.0.1",
		"-memberlist.advertise-addr=127.0.0.1",
		fmt.Sprintf("-memberlist.bind-port=%d", ports[3]),
		fmt.Sprintf("-memberlist.advertise-port=%d", ports[3]),
		"-distributor.ring.store=inmemory",
		"-overrides-exporter.ring.store=inmemory",
		"-segment-writer.store=inmemory",
		"-self-profiling.disable-push=true",
		"-usage-stats.enabled=false",
		"-log.level=warn",
	}
}

func (s *server) waitReady() error {
	deadline := time.After(readyTimeout)
	for {
		if answers(s.url+"/ready", "ready") &&
			answers(s.url+"/ring-segment-writer", "ACTIVE") {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("pyroscope-server exited: %v",
				s.cmd.ProcessState)
		case <-deadline:
			return fmt.Errorf("pyroscope-server not ready after %v",
				readyTimeout)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(20 * time.Second):
		s.cmd.Process.Kill()
		<-s.exited
	}
	os.RemoveAll(s.dataDir)
}

func answers(url, word string) bool {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return err == nil && response.StatusCode == http.StatusOK &&
		bytes.Contains(body, []byte(word))
}

// freePorts returns ports that were free on loopback a moment ago.
func freePorts(count int) ([]int, error) {
	var ports []int
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		// Open until all are chosen, so that they differ.
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
