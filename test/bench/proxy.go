// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

// proxy is what all programs get as HTTP_PROXY. They talk to the host names of AWS over plain HTTP and it
// answers from the servers of this machine, so that all behave as they would in front of AWS: an address
// of this machine would make the plugin test first whether that store keeps conditions. It adds a delay
// to every request, and keeps a record of them.
type proxy struct {
	url      string
	delay    atomic.Int64
	listener net.Listener
	server   *http.Server

	mu       sync.Mutex
	requests trace
}

// The addresses that the programs are told, as AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL.
const (
	s3Host  = "s3.eu-west-1.amazonaws.com"
	ec2Host = "ec2.eu-west-1.amazonaws.com"
)

// listenProxy has an address already, which goes into the environment before anything reads it: Go reads
// HTTP_PROXY once in a process. What is asked before [proxy.serve] waits.
func listenProxy() (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &proxy{url: "http://" + listener.Addr().String(), listener: listener}, nil
}

// serve begins to answer from the servers at these addresses.
func (p *proxy) serve(s3, ec2 string) error {
	toS3, err := s3server.Proxy(s3)
	if err != nil {
		return err
	}
	toEC2, err := s3server.Proxy(ec2)
	if err != nil {
		return err
	}
	// The emulator has one thread, and a connection that is kept open would hold it up.
	toEC2.Transport = &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	p.server = &http.Server{Handler: p.handler(toS3, toEC2), ReadHeaderTimeout: time.Minute}
	go func() { _ = p.server.Serve(p.listener) }()
	return nil
}

func (p *proxy) handler(toS3, toEC2 http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		next, record := toEC2, request{agent: r.UserAgent(), start: start}
		if strings.HasSuffix(r.Host, s3Host) {
			next, record.what, record.target = toS3, "S3 "+r.Method, r.URL.Path
		} else {
			record.what, record.target = operation(r)
		}
		delay := time.Duration(p.delay.Load())
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return
		}
		answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		record.end, record.status = time.Now(), answer.status
		record.own = record.end.Sub(start) - delay
		p.mu.Lock()
		defer p.mu.Unlock()
		p.requests = append(p.requests, record)
	})
}

// operation is the action of the EC2 query protocol, and the region, which only the signature names.
func operation(r *http.Request) (what, target string) {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, parseErr := url.ParseQuery(string(body))
	if err != nil || parseErr != nil {
		return "EC2", ""
	}
	if scope := strings.Split(r.Header.Get("Authorization"), "/"); len(scope) > 2 {
		target = scope[2]
	}
	return "EC2 " + form.Get("Action"), target
}

// take answers what was sent since the last call.
func (p *proxy) take() trace {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.requests
	p.requests = nil
	return taken
}

func (p *proxy) stop() error {
	if p.server == nil {
		return p.listener.Close()
	}
	if err := p.server.Shutdown(context.Background()); err != nil {
		return fmt.Errorf("stop the proxy: %w", err)
	}
	return nil
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets the reverse proxy flush.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
