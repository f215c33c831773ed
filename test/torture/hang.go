// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	// callLimit is the deadline that a call gets, promisedOver how much longer it may take, and busyOver
	// what is added in a short run, which other tests may hold up.
	callLimit    = 3 * time.Second
	promisedOver = time.Second
	busyOver     = 3 * time.Second
	attemptLimit = time.Second
)

// promiseNoHang calls each operation of a registry on servers that leave it waiting.
func promiseNoHang(ctx context.Context, r *Run) (Result, error) {
	servers := map[string]func() (string, func(), error){
		"accepts and never answers":         func() (string, func(), error) { return mute("") },
		"trickles the head of its answer":   func() (string, func(), error) { return mute("HTTP/1.1 200 OK\r\nX-Long: ") },
		"trickles the body of its answer":   func() (string, func(), error) { return mute(trickledBody) },
		"answers reads and hangs in writes": hangInWrites,
	}
	within := callLimit + promisedOver
	if !r.Long {
		within += busyOver
	}
	var mu sync.Mutex
	var result Result
	var broken error
	var longest time.Duration
	var all sync.WaitGroup
	for what, start := range servers {
		url, stop, err := start()
		if err != nil {
			return result, err
		}
		defer stop()
		for name, call := range hangingCalls() {
			all.Go(func() {
				took, err := callWithin(ctx, within, url, call)
				mu.Lock()
				defer mu.Unlock()
				result.Tried++
				longest = max(longest, took)
				if err != nil {
					broken = errors.Join(broken, fmt.Errorf("%s on a server that %s: %w", name, what, err))
				}
			})
		}
	}
	all.Wait()
	result.Note = fmt.Sprintf("limit %s, the longest call took %.2f s", callLimit, longest.Seconds())
	return result, broken
}

const trickledBody = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"

func hangingCalls() map[string]func(context.Context, *registry.Registry) error {
	fingerprint := text.SHA256("hang")
	return map[string]func(context.Context, *registry.Registry) error{
		"Manifest": func(ctx context.Context, reg *registry.Registry) error {
			_, err := reg.Manifest(ctx, image, fingerprint)
			return err
		},
		"Ref": func(ctx context.Context, reg *registry.Registry) error {
			_, err := reg.Ref(ctx, image, forward)
			return err
		},
		"Publish": func(ctx context.Context, reg *registry.Registry) error {
			entry := manifest.Entry{Name: "a", BuilderType: "null", PackerRunUUID: "run", ArtifactID: "a"}
			_, err := reg.Publish(ctx, []manifest.Entry{entry}, manifest.Chain{Image: image, Fingerprint: fingerprint})
			return err
		},
		"Move": func(ctx context.Context, reg *registry.Registry) error {
			_, err := reg.Move(ctx, image, forward, registry.Target{Fingerprint: fingerprint}, registry.NotBack, "torture")
			return err
		},
	}
}

// callWithin makes a call with a deadline, and with the limit of one attempt shorter than that. It is an
// error when the call takes longer than within.
func callWithin(
	ctx context.Context, within time.Duration, url string, call func(context.Context, *registry.Registry) error,
) (time.Duration, error) {
	reg, err := openBucket(ctx, url, bucketOptions{trusted: true, attempt: attemptLimit})
	if err != nil {
		return 0, err
	}
	limited, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	started := time.Now()
	err = call(limited, reg)
	took := time.Since(started)
	switch {
	case took > within:
		return took, fmt.Errorf("took %s with a limit of %s", took, callLimit)
	case err == nil:
		return took, errors.New("it says that it succeeded")
	}
	return took, nil
}

// mute accepts connections, sends the beginning of an answer, and then an x each second.
func mute(beginning string) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { trickle(ctx, conn, beginning) })
		}
	})
	return "http://" + listener.Addr().String(), func() {
		cancel()
		_ = listener.Close()
		all.Wait()
	}, nil
}

func trickle(ctx context.Context, conn net.Conn, beginning string) {
	defer conn.Close()
	// An answer before the request would be taken for a fault of the connection.
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return
	}
	send := []byte(beginning)
	for {
		if _, err := conn.Write(send); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		if beginning != "" {
			send = []byte("x")
		}
	}
}

// hangInWrites has nothing, until it gets a write: from then on it answers nothing.
func hangInWrites() (string, func(), error) {
	behind, err := fakeBucket()
	if err != nil {
		return "", nil, err
	}
	ended := make(chan struct{})
	var mu sync.Mutex
	hung := false
	url, stop := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		hung = hung || r.Method == http.MethodPut
		hang := hung
		mu.Unlock()
		if !hang {
			behind.ServeHTTP(w, r)
			return
		}
		select {
		case <-ended:
		case <-r.Context().Done():
		}
	}))
	return url, func() { close(ended); stop() }, nil
}
