// SPDX-License-Identifier: MPL-2.0

package ci

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// maxEvent is the longest file of an event. That of a pull request has some 30 kB, and that of a
// push, of which only the default branch counts, may have far more.
const maxEvent = 4 << 20

var errEventTooLong = errors.New("the event is longer than 4 MiB")

// readEvent reads the file of an event.
func readEvent(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxEvent+1))
	if len(body) > maxEvent {
		return nil, errEventTooLong
	}
	return body, err
}

// event is what of an event counts here, see
// https://docs.github.com/en/webhooks/webhook-events-and-payloads
type event struct {
	Number      json.Number `json:"number"`
	PullRequest struct {
		Number json.Number `json:"number"`
	} `json:"pull_request"`
	Issue struct {
		Number json.Number `json:"number"`
		// PullRequest is nil if it is an issue and no pull request.
		PullRequest *struct{} `json:"pull_request"`
	} `json:"issue"`
	WorkflowRun struct {
		Event          string `json:"event"`
		HeadBranch     string `json:"head_branch"`
		HeadRepository struct {
			FullName string `json:"full_name"`
		} `json:"head_repository"`
		PullRequests []struct {
			Number json.Number `json:"number"`
			Base   struct {
				Repo repository `json:"repo"`
			} `json:"base"`
		} `json:"pull_requests"`
	} `json:"workflow_run"`
	Repository repository `json:"repository"`
}

type repository struct {
	ID            json.Number `json:"id"`
	DefaultBranch string      `json:"default_branch"`
}

// githubEvent returns the event that started a workflow, and whether it could be read.
func githubEvent(env environment) (event, bool) {
	name := env.get("GITHUB_EVENT_PATH")
	if name == "" {
		return event{}, false
	}
	body, err := env.read(name)
	if err != nil {
		return event{}, false
	}
	var e event
	if json.Unmarshal(body, &e) != nil {
		return event{}, false
	}
	return e, true
}

// baseEvents are the events whose GITHUB_SHA is the last commit of the base or of the default
// branch, whatever the workflow checks out, see
// https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows
var baseEvents = []string{"pull_request_target", "issue_comment", "workflow_run"}

// github looks at the event too. Some workflows of a pull request run on the default branch, as far
// as GITHUB_REF and GITHUB_SHA tell, and check out the head of the pull request.
func github(env environment) Build {
	e, isRead := githubEvent(env)
	b := Build{
		Head: env.get("GITHUB_HEAD_REF"), Commit: env.get("GITHUB_SHA"),
		DefaultBranch: e.Repository.DefaultBranch,
	}
	b.setRef(env.get("GITHUB_REF"))
	name := env.get("GITHUB_EVENT_NAME")
	b.IsBase = slices.Contains(baseEvents, name)
	switch {
	case strings.HasPrefix(name, "pull_request"):
		b.PullRequest = numberIf(true,
			cmp.Or(b.PullRequest, number(e.PullRequest.Number), number(e.Number)))
	case name == "issue_comment" && (!isRead || e.Issue.PullRequest != nil):
		b.PullRequest = cmp.Or(b.PullRequest, number(e.Issue.Number), unknown)
	case name == "workflow_run":
		b.setWorkflowRun(e, isRead)
	case name == "merge_group":
		b.Queue = cmp.Or(queueOf(b.Branch), b.Branch, unknown)
	}
	return b
}

// setWorkflowRun adds what an earlier workflow belonged to. The list of its pull requests is empty
// if they come from a fork, and may have those of the same branch in other repositories.
func (b *Build) setWorkflowRun(e event, isRead bool) {
	run := e.WorkflowRun
	switch {
	case !isRead || run.Event == "":
		b.PullRequest = cmp.Or(b.PullRequest, unknown)
	case run.Event == "merge_group":
		b.Queue = cmp.Or(queueOf(run.HeadBranch), unknown)
	case strings.HasPrefix(run.Event, "pull_request") || run.Event == "issue_comment":
		b.Head = run.HeadBranch
		for _, pull := range run.PullRequests {
			if pull.Base.Repo.ID == e.Repository.ID {
				b.PullRequest = cmp.Or(b.PullRequest, number(pull.Number))
			}
		}
		if head := run.HeadRepository.FullName + ":" + run.HeadBranch; head != ":" {
			b.PullRequest = cmp.Or(b.PullRequest, head)
		}
		b.PullRequest = cmp.Or(b.PullRequest, unknown)
	}
}

// number returns the number of a pull request, or "" if there is none.
func number(n json.Number) string {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err != nil || i <= 0 {
		return ""
	}
	return n.String()
}
