// SPDX-License-Identifier: MPL-2.0

package parametertest

import (
	"cmp"
	"net/http"
	"time"
)

// request is the body of a request, with the members of all actions.
type request struct {
	Name, Value, Type, DataType string
	Overwrite                   bool
}

// serve returns the response to a request.
func (s *Server) serve(region, action string, in request) (status int, out any, hang bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, region+" "+action)
	s.settle()
	var step Step
	if steps := s.steps[action]; len(steps) > 0 {
		step, s.steps[action] = steps[0], steps[1:]
	}
	if step.Served || step.Status == 0 && !step.Hang {
		status, out = s.act(region, action, in)
	}
	if step.Status != 0 {
		status, out = step.Status, failure{step.Code, step.Message}
	}
	return status, out, step.Hang
}

// failure is the body of an error.
type failure struct {
	Type    string `json:"__type"`
	Message string `json:"message"`
}

func (s *Server) act(region, action string, in request) (int, any) {
	key := region + " " + in.Name
	switch action {
	case Get:
		return s.get(key, in)
	case Put:
		return s.put(key, in)
	}
	return http.StatusBadRequest, failure{"InvalidAction", action}
}

func (s *Server) get(key string, in request) (int, any) {
	p, ok := s.shown[key]
	if !ok {
		return http.StatusBadRequest, failure{Type: "ParameterNotFound"}
	}
	return http.StatusOK, map[string]any{"Parameter": map[string]any{
		"Name": in.Name, "Value": p.Value, "Type": p.Type, "DataType": p.DataType, "Version": p.Version}}
}

func (s *Server) put(key string, in request) (int, any) {
	old, exists := s.shown[key]
	kind := cmp.Or(in.DataType, "text")
	switch {
	case exists && !in.Overwrite:
		return http.StatusBadRequest, failure{"ParameterAlreadyExists", "The parameter already exists."}
	case exists && in.Type != old.Type:
		return http.StatusBadRequest, failure{"HierarchyTypeMismatchException", "another type"}
	case exists && kind != old.DataType:
		return http.StatusBadRequest, failure{"ValidationException", "another data type"}
	}
	var wait time.Duration
	good := true
	if kind == Image && s.Check != nil {
		wait, good = s.Check(in.Value)
	}
	version := s.versions[key] + 1
	if s.Same {
		version = old.Version + 1
	}
	s.versions[key] = version
	if good {
		s.pending = append(s.pending, pending{time.Now().Add(wait), key, Parameter{
			Value: in.Value, Type: in.Type, DataType: kind, Version: version}})
	}
	return http.StatusOK, map[string]any{"Version": version, "Tier": "Standard"}
}
