// SPDX-License-Identifier: Apache-2.0

// A recorder between a program and the server: it keeps what was pushed, passes
// it on, and can stand in for a server in trouble.
package pyroscope

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
)

const pushPath = "/push.v1.PusherService/Push"

type push struct {
	header http.Header
	body   []byte
	status int
}

type wire struct {
	url     string
	lock    sync.Mutex
	trouble []int // statuses to answer with, instead of passing on
	pushes  []push
	others  []string // what else was asked for
}

func newWire(t *testing.T, server string, trouble ...int) *wire {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{trouble: trouble}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
	}
	listener := httptest.NewServer(http.HandlerFunc(
		func(to http.ResponseWriter, r *http.Request) {
			w.serve(proxy, to, r)
		}))
	t.Cleanup(listener.Close)
	w.url = listener.URL
	return w
}

func (w *wire) serve(proxy http.Handler, to http.ResponseWriter,
	r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(to, err.Error(), http.StatusBadRequest)
		return
	}
	if r.URL.Path != pushPath || r.Method != http.MethodPost {
		w.lock.Lock()
		w.others = append(w.others, r.Method+" "+r.URL.Path)
		w.lock.Unlock()
		http.NotFound(to, r)
		return
	}
	made := push{header: r.Header.Clone(), body: body}
	w.lock.Lock()
	if len(w.trouble) > 0 {
		made.status = w.trouble[0]
		w.trouble = w.trouble[1:]
	}
	w.lock.Unlock()
	if made.status != 0 {
		http.Error(to, `{"code":"unavailable"}`, made.status)
	} else {
		answer := httptest.NewRecorder()
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(answer, r)
		made.status = answer.Code
		for name, values := range answer.Header() {
			to.Header()[name] = values
		}
		to.WriteHeader(answer.Code)
		to.Write(answer.Body.Bytes())
	}
	w.lock.Lock()
	w.pushes = append(w.pushes, made)
	w.lock.Unlock()
}

func (w *wire) recorded() []push {
	w.lock.Lock()
	defer w.lock.Unlock()
	return append([]push(nil), w.pushes...)
}

// check looks at every push as the server's rules and its limits have it.
func (w *wire) check(t *testing.T) {
	t.Helper()
	pushes := w.recorded()
	if len(pushes) == 0 {
		t.Errorf("nothing was pushed")
	}
	if len(w.others) > 0 {
		t.Errorf("asked the server for %v", w.others)
	}
	times := map[string]bool{}
	for _, p := range pushes {
		if p.status != http.StatusOK {
			t.Errorf("a push was answered by %d", p.status)
		}
		labels, data := p.open(t)
		if labels["__name__"] != "process_cpu" ||
			labels["__delta__"] != "false" {
			t.Errorf("labels are %v", map[string]string(labels))
		}
		got := checkProfile(t, data)
		// Equal labels and times make a profile a replica, which goes.
		id := fmt.Sprint(labels, got.TimeNanos)
		if times[id] {
			t.Errorf("two profiles with %s", id)
		}
		times[id] = true
	}
}

type labelSet map[string]string

func (l labelSet) String() string {
	return selector("service_name", l["service_name"], "hostname",
		l["hostname"], "pid", l["pid"])
}

// open returns a push's labels and its pprof bytes.
func (p push) open(t *testing.T) (labelSet, []byte) {
	t.Helper()
	if kind := p.header.Get("Content-Type"); kind != "application/proto" {
		t.Errorf("Content-Type is %q", kind)
	}
	if agent := p.header.Get("User-Agent"); !strings.Contains(agent,
		"pyroscope") {
		t.Errorf("User-Agent is %q", agent)
	}
	body := p.body
	if coding := p.header.Get("Content-Encoding"); coding == "gzip" {
		body = gunzip(t, body)
	} else {
		t.Errorf("Content-Encoding is %q", coding)
	}
	var request pushv1.PushRequest
	if err := request.UnmarshalVT(body); err != nil {
		t.Fatalf("not a PushRequest: %v", err)
	}
	if len(request.Series) != 1 || len(request.Series[0].Samples) != 1 {
		t.Fatalf("not one series with one profile: %v", &request)
	}
	labels := labelSet{}
	for _, label := range request.Series[0].Labels {
		if _, twice := labels[label.Name]; twice {
			t.Errorf("label %q twice", label.Name)
		}
		labels[label.Name] = label.Value
	}
	return labels, request.Series[0].Samples[0].RawProfile
}

func gunzip(t *testing.T, data []byte) []byte {
	t.Helper()
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("gzip: %v", err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatalf("gzip: %v", err)
	}
	return plain
}
