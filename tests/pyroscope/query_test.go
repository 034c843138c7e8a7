// SPDX-License-Identifier: Apache-2.0

// Questions to the server, by its own client.
package pyroscope

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/pprof/profile"
	querierv1 "github.com/grafana/pyroscope/api/gen/proto/go/querier/v1"
	"github.com/grafana/pyroscope/api/gen/proto/go/querier/v1/querierv1connect"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
)

const (
	cpuType     = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
	samplesType = "process_cpu:samples:count:cpu:nanoseconds"
)

// query asks about what was profiled since newQuery.
type query struct {
	client querierv1connect.QuerierServiceClient
	base   string
	from   time.Time
}

func newQuery(server string) *query {
	return &query{
		client: querierv1connect.NewQuerierServiceClient(
			http.DefaultClient, server),
		base: server,
		from: time.Now().Add(-time.Second),
	}
}

func (q *query) bounds() (int64, int64) {
	return q.from.UnixMilli(), time.Now().Add(time.Minute).UnixMilli()
}

// selector matches labels like "service_name", "a", "pid", "7".
func selector(labels ...string) string {
	text := "{"
	for i := 0; i+1 < len(labels); i += 2 {
		text += fmt.Sprintf("%s=%q,", labels[i], labels[i+1])
	}
	return text[:len(text)-1] + "}"
}

func (q *query) profileTypes(t *testing.T) []string {
	t.Helper()
	start, end := q.bounds()
	answer, err := q.client.ProfileTypes(context.Background(),
		connect.NewRequest(&querierv1.ProfileTypesRequest{
			Start: start, End: end,
		}))
	if err != nil {
		t.Fatalf("ProfileTypes: %v", err)
	}
	var ids []string
	for _, kind := range answer.Msg.ProfileTypes {
		ids = append(ids, kind.ID)
	}
	return ids
}

func (q *query) labelValues(t *testing.T, name, selector string) []string {
	t.Helper()
	start, end := q.bounds()
	answer, err := q.client.LabelValues(context.Background(),
		connect.NewRequest(&typesv1.LabelValuesRequest{
			Name: name, Matchers: []string{selector},
			Start: start, End: end,
		}))
	if err != nil {
		t.Fatalf("LabelValues %s of %s: %v", name, selector, err)
	}
	return answer.Msg.Names
}

// series returns the label sets, without those that the server makes itself.
func (q *query) series(t *testing.T, selector string) []map[string]string {
	t.Helper()
	start, end := q.bounds()
	answer, err := q.client.Series(context.Background(),
		connect.NewRequest(&querierv1.SeriesRequest{
			Matchers: []string{selector}, Start: start, End: end,
		}))
	if err != nil {
		t.Fatalf("Series %s: %v", selector, err)
	}
	var sets []map[string]string
	for _, labels := range answer.Msg.LabelsSet {
		set := map[string]string{}
		for _, label := range labels.Labels {
			if label.Name[0] != '_' {
				set[label.Name] = label.Value
			}
		}
		same := func(other map[string]string) bool {
			return maps.Equal(set, other)
		}
		if !slices.ContainsFunc(sets, same) {
			sets = append(sets, set)
		}
	}
	return sets
}

// merged returns the sum of all profiles that match, as pprof.
func (q *query) merged(t *testing.T, kind, selector string) *profile.Profile {
	t.Helper()
	start, end := q.bounds()
	answer, err := q.client.SelectMergeProfile(context.Background(),
		connect.NewRequest(&querierv1.SelectMergeProfileRequest{
			ProfileTypeID: kind, LabelSelector: selector,
			Start: start, End: end,
		}))
	if err != nil {
		t.Fatalf("SelectMergeProfile %s: %v", selector, err)
	}
	data, err := answer.Msg.MarshalVT()
	if err != nil {
		t.Fatalf("SelectMergeProfile %s: %v", selector, err)
	}
	if len(data) == 0 {
		t.Fatalf("SelectMergeProfile %s: there is none", selector)
	}
	merged, err := profile.ParseData(data)
	if err != nil {
		t.Fatalf("SelectMergeProfile %s: %v", selector, err)
	}
	return merged
}

// flamegraph returns the names in it and its total.
func (q *query) flamegraph(t *testing.T, selector string) ([]string, int64) {
	t.Helper()
	start, end := q.bounds()
	answer, err := q.client.SelectMergeStacktraces(context.Background(),
		connect.NewRequest(&querierv1.SelectMergeStacktracesRequest{
			ProfileTypeID: cpuType, LabelSelector: selector,
			Start: start, End: end,
		}))
	if err != nil {
		t.Fatalf("SelectMergeStacktraces %s: %v", selector, err)
	}
	graph := answer.Msg.Flamegraph
	return graph.GetNames(), graph.GetTotal()
}

// spanProfile returns the names in the flame graph of one span and its total.
func (q *query) spanProfile(t *testing.T, selector, span string) ([]string, int64) {
	t.Helper()
	start, end := q.bounds()
	answer, err := q.client.SelectMergeSpanProfile(context.Background(),
		connect.NewRequest(&querierv1.SelectMergeSpanProfileRequest{
			ProfileTypeID: cpuType, LabelSelector: selector,
			SpanSelector: []string{span}, Start: start, End: end,
		}))
	if err != nil {
		t.Fatalf("SelectMergeSpanProfile %s %s: %v", selector, span, err)
	}
	graph := answer.Msg.Flamegraph
	return graph.GetNames(), graph.GetTotal()
}

// points returns when profiles were taken, to the second, and their values.
func (q *query) points(t *testing.T, selector string) map[int64]float64 {
	t.Helper()
	start, end := q.bounds()
	answer, err := q.client.SelectSeries(context.Background(),
		connect.NewRequest(&querierv1.SelectSeriesRequest{
			ProfileTypeID: cpuType, LabelSelector: selector,
			Start: start / 1000 * 1000, End: end, Step: 1,
		}))
	if err != nil {
		t.Fatalf("SelectSeries %s: %v", selector, err)
	}
	points := map[int64]float64{}
	for _, series := range answer.Msg.Series {
		for _, point := range series.Points {
			points[point.Timestamp] += point.Value
		}
	}
	return points
}

// render asks the older JSON interface, which the web page uses.
func (q *query) render(t *testing.T, selector string) ([]string, int64) {
	t.Helper()
	start, end := q.bounds()
	values := url.Values{
		"query": {cpuType + selector},
		"from":  {fmt.Sprint(start)},
		"until": {fmt.Sprint(end)},
	}
	response, err := http.Get(q.base + "/pyroscope/render?" + values.Encode())
	if err != nil {
		t.Fatalf("render: %v", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("render: %s %v %s", response.Status, err, body)
	}
	var answer struct {
		Flamebearer struct {
			Names    []string
			NumTicks int64
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("render: %v", err)
	}
	return answer.Flamebearer.Names, answer.Flamebearer.NumTicks
}
