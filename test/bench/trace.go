// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// request is one request that went through the proxy.
type request struct {
	// what is the operation, such as "EC2 DescribeImages" or "S3 GET".
	what, target string
	// agent is the User-Agent, which tells the programs apart.
	agent      string
	start, end time.Time
	// own is how long the server took, without the delay that was added.
	own    time.Duration
	status int
}

// trace is what one run sent.
type trace []request

// depth is the number of requests that came one after another: the longest chain of requests of which
// none began before the last had ended.
func (t trace) depth() int {
	byEnd := slices.SortedFunc(slices.Values(t), func(a, b request) int { return a.end.Compare(b.end) })
	depth := 0
	var last time.Time
	for _, r := range byEnd {
		if !r.start.Before(last) {
			depth++
			last = r.end
		}
	}
	return depth
}

// span is the time from the first request to the last answer.
func (t trace) span() time.Duration {
	if len(t) == 0 {
		return 0
	}
	first, last := t[0].start, t[0].end
	for _, r := range t {
		if r.start.Before(first) {
			first = r.start
		}
		if r.end.After(last) {
			last = r.end
		}
	}
	return last.Sub(first)
}

// own is the median time that the servers themselves took for a request, in milliseconds.
func (t trace) own() float64 {
	var all []float64
	for _, r := range t {
		all = append(all, milliseconds(r.own))
	}
	return median(all)
}

// by are the requests of the programs whose User-Agent the test accepts.
func (t trace) by(accept func(agent string) bool) trace {
	return slices.DeleteFunc(slices.Clone(t), func(r request) bool { return !accept(r.agent) })
}

// after are the requests that began after that time.
func (t trace) after(when time.Time) trace {
	return slices.DeleteFunc(slices.Clone(t), func(r request) bool { return r.start.Before(when) })
}

// String is the timeline: when each request began and ended, in milliseconds.
func (t trace) String() string {
	if len(t) == 0 {
		return ""
	}
	sorted := slices.SortedFunc(slices.Values(t), func(a, b request) int { return a.start.Compare(b.start) })
	var b strings.Builder
	for _, r := range sorted {
		fmt.Fprintf(&b, "%5.0f - %5.0f ms  %d  %s %s\n", milliseconds(r.start.Sub(sorted[0].start)),
			milliseconds(r.end.Sub(sorted[0].start)), r.status, r.what, r.target)
	}
	return b.String()
}

// agents of the programs whose requests are told apart. Both plugins use the AWS SDK for Go; the Amazon
// plugin adds a mark of its own.
func isAmazonPlugin(agent string) bool {
	return strings.Contains(agent, "APN/") || strings.Contains(agent, "Packer")
}

func isChainPlugin(agent string) bool {
	return strings.Contains(agent, "aws-sdk-go") && !isAmazonPlugin(agent)
}

func isCLI(agent string) bool {
	return strings.Contains(agent, "aws-cli") || strings.Contains(agent, "Botocore")
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
