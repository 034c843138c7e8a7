// SPDX-License-Identifier: Apache-2.0

// What arrives by /ingest is what arrives by a push; and who may send what.
package pyroscope

import (
	"context"
	"maps"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	querierv1 "github.com/grafana/pyroscope/api/gen/proto/go/querier/v1"
	"github.com/grafana/pyroscope/api/gen/proto/go/querier/v1/querierv1connect"
)

// allSeries returns each series of a service as one text of its labels, those of
// the server's own making included, but without the service's name.
func (q *query) allSeries(t *testing.T, service string) []string {
	t.Helper()
	start, end := q.bounds()
	answer, err := q.client.Series(context.Background(),
		connect.NewRequest(&querierv1.SeriesRequest{
			Matchers: []string{selector("service_name", service)},
			Start:    start, End: end,
		}))
	if err != nil {
		t.Fatalf("Series of %s: %v", service, err)
	}
	var all []string
	for _, labels := range answer.Msg.LabelsSet {
		set := map[string]string{}
		for _, label := range labels.Labels {
			// A thread's state is of a moment.
			if !strings.HasSuffix(label.Name, "service_name") &&
				label.Name != "__service_name__" &&
				label.Name != "state" {
				set[label.Name] = label.Value
			}
		}
		var text []string
		for _, name := range slices.Sorted(maps.Keys(set)) {
			text = append(text, name+"="+set[name])
		}
		// Whether one of the few blocks is sampled that no label was set
		// for is chance.
		if set["__name__"] == "memory" && set["route"] == "" {
			continue
		}
		all = append(all, strings.Join(text, " "))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestIngest(t *testing.T) {
	// A name that /ingest would not take as an application's.
	const suffix = "+1 (x)"
	ask := newQuery(pyroscope.url)
	for _, c := range []struct{ program, types, kinds string }{
		{"labels", "cpu,heap,threads,goroutines",
			"process_cpu memory threads goroutines"},
		{"block", "block", "block"},
		{"mutex", "mutex", "mutex"},
	} {
		var got [2][]string
		for i, format := range []string{"push", "ingest"} {
			name := c.program + " by " + format + suffix
			succeed(t, append(named(name),
				"PYROSCOPE_PROFILE_TYPES="+c.types,
				"PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES=64k",
				"PYROSCOPE_FORMAT="+format,
				"PYROSCOPE_SERVER_ADDRESS="+pyroscope.url),
				workload(t, c.program), "0.5")
			got[i] = ask.allSeries(t, name)
		}
		if !slices.Equal(got[0], got[1]) {
			t.Errorf("%s by push:\n%s\nby ingest:\n%s", c.program,
				strings.Join(got[0], "\n"),
				strings.Join(got[1], "\n"))
		}
		for _, kind := range strings.Fields(c.kinds) {
			found := slices.ContainsFunc(got[1], func(s string) bool {
				return strings.Contains(s,
					"__profile_type__="+kind+":")
			})
			if !found {
				t.Errorf("no %s of %s: %v", kind, c.program,
					got[1])
			}
		}
	}
}

// tenant asks as one.
type tenant string

func (name tenant) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Scope-OrgID", string(name))
	return http.DefaultTransport.RoundTrip(r)
}

func TestTenants(t *testing.T) {
	runtime.LockOSThread()
	server, err := startServer(filepath.Join(buildDir, "pyroscope-server"),
		"", filepath.Join(buildDir, "pyroscope-server-tenants.log"),
		"-auth.multitenancy-enabled=true")
	if err != nil {
		t.Fatal(err)
	}
	defer server.stop()
	program, ask := workload(t, "shares"), newQuery(server.url)
	for _, format := range []string{"push", "ingest"} {
		env := append(named("of-"+format), "PYROSCOPE_FORMAT="+format,
			"PYROSCOPE_TENANT_ID=team-"+format)
		succeed(t, env, program, server.url, "0.3", "1")
		refused := runProgram(t, env[:len(env)-1], program, server.url,
			"0.3", "1")
		lines := refused.logLines(t)
		if refused.exit != 0 || len(lines) != 1 ||
			!strings.Contains(lines[0], "HTTP 401") {
			t.Errorf("without a tenant: %v", lines)
		}
		ask.client = querierv1connect.NewQuerierServiceClient(
			&http.Client{Transport: tenant("team-" + format)},
			server.url)
		for _, other := range []string{"push", "ingest"} {
			sets := ask.series(t, selector("service_name",
				"of-"+other))
			if (len(sets) > 0) != (other == format) {
				t.Errorf("team-%s has of-%s: %v", format, other,
					sets)
			}
		}
	}
}
