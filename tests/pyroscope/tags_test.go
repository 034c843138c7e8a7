// SPDX-License-Identifier: Apache-2.0

// Labels of a whole process, wherever they come from.
package pyroscope

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
)

func TestTags(t *testing.T) {
	ask := newQuery(pyroscope.url)
	server := "PYROSCOPE_SERVER_ADDRESS=" + pyroscope.url

	t.Run("origins", func(t *testing.T) {
		const name = "tags-origins"
		succeed(t, []string{server, "HOSTNAME=host-1",
			"PYROSCOPE_APPLICATION_NAME=" + name + "{a=name,b=name}",
			"PYROSCOPE_LABELS=a:tag,git.branch:main",
			"OTEL_RESOURCE_ATTRIBUTES=service.name=no," +
				"k8s.pod.name=pod-1,deployment.environment=a%20b",
			"KUBERNETES_SERVICE_HOST=10.0.0.1",
			"POD_NAME=no", "NODE_NAME=node-1",
			"CONTAINER_NAME=container-1"},
			workload(t, "block"))
		want := map[string]string{"service_name": name,
			"hostname": "host-1", "pyroscope_spy": "cspy",
			"a": "tag", "b": "name", "git_branch": "main",
			"pod": "pod-1", "deployment_environment": "a b",
			"node": "node-1", "container": "container-1"}
		sets := ask.series(t, selector("service_name", name))
		for _, set := range sets {
			delete(set, "wait_class")
			if !maps.Equal(set, want) {
				t.Errorf("%v, not %v", set, want)
			}
		}
		if len(sets) == 0 {
			t.Error("no series")
		}
	})

	// With as many labels as there may be, no profile is refused.
	t.Run("many", func(t *testing.T) {
		const name = "tags-many"
		var tags []string
		for i := range 12 {
			tags = append(tags, fmt.Sprintf("tag%02d=%d", i, i))
		}
		succeed(t, append(named(name), server,
			"PYROSCOPE_TAGS="+strings.Join(tags, ",")),
			workload(t, "tags"))
		which := selector("service_name", name, "tag11", "11", "own15", "x")
		got := total(ask.merged(t, cpuType, which), 0)
		if math.Abs(float64(got)-1e9) > 2e8 {
			t.Errorf("%d ns of CPU time, not a second", got)
		}
	})
}
